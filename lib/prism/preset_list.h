/* preset_list.h: which presets lie in share/benchmarks. */
#ifndef PRESET_LIST_H
#define PRESET_LIST_H

/* Fail (class refused) because there is no preset called name, naming those there are. */
int preset_unknown(const char *name);
#endif
