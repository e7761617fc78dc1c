/* plugin.h: a table of operations in a library of its own, opened at run time, so that
 * the same programs run where there is no GPU, driver or CUDA.
 */
#ifndef PLUGIN_H
#define PLUGIN_H
#include "kernels.h"

enum { PLUGIN_ABI = 5 }; /* changes with struct kernels, struct backward and struct arr */

/* What capmill-cuda.so exports as plugin_entry(): the table, for "cuda" or "cuda:N"; NULL
 * with the reason in *why (static): another abi than its own, no driver, no such device,
 * one that is too old. */
typedef const struct kernels *plugin_entry_function(int abi, const char *device,
                                                    const char **why);

/* The same from the library: $CAPMILL_CUDA, else capmill-cuda.so in ../lib/capmill,
 * ../build or .. of the program's folder. NULL with the reason: it is not there, or
 * cannot be opened. */
const struct kernels *plugin_open(const char *device, const char **why);
#endif
