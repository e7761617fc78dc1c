/* settings.h: options from a preset, a data file with the settings of a paper, and all
 * settings of a run as rows.
 *
 *   share/presets/NAME.json: {"about": TEXT, PROGRAM: {OPTION: {"value": ..., "from":
 *   "published" or "ours: why"}, ...}, ...}
 */
#ifndef SETTINGS_H
#define SETTINGS_H
#include "row/cli.h"

/* Give the program's options their values of the preset that --preset names, but for
 * those that the command line has. Without --preset: nothing. name is a name under
 * share/presets, or a path where it has a slash. 0, or -1 (refused, model) that says
 * what is wrong, or which presets there are. */
int settings_preset(struct cli *cli);

/* Print all settings on standard output, a row each: {"option","value","from"}; from is
 * "given" (the command line), the preset's word, or "default". 0, or -1. */
int settings_print(struct cli *cli);
#endif
