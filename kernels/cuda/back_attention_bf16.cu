#include "attention_bf16.h"
