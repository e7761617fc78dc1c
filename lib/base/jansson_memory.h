/* jansson_memory.h: what jansson does when memory is out. */
#ifndef JANSSON_MEMORY_H
#define JANSSON_MEMORY_H

/* Have jansson's allocations end the program where they fail, with a message and status
 * 2: jansson 2.14's lexer ignores a failed allocation of its own (lex_save()) and then
 * writes behind its heap blocks. jansson reads small model files alone, before the first
 * row, so nothing is lost. Called once, before anything is read. */
void jansson_memory(void);
#endif
