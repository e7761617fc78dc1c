"""The same logits from transformers and PEFT? Usage: peft-check.py POCKET ADAPTER MERGED FRESH.
For tests/model-init.bats, where CAPMILL_PYTHON names a Python that has them."""
import json
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

pocket, adapter, merged, fresh = sys.argv[1:5]
ids = torch.tensor([[688, 10, 20, 30, 40, 50, 60, 70]])


def load(kind, folder):
    return kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)


with torch.no_grad():
    base, _ = load(AutoModelForImageTextToText, pocket + "/captioner")
    plain = base(input_ids=ids).logits
    model = PeftModel.from_pretrained(base, adapter).eval()
    pairs = sum(name.endswith("lora_A") for name, _ in model.named_modules())
    keys = set(get_peft_model_state_dict(model))
    missing = len(keys ^ set(load_file(adapter + "/adapter_model.safetensors")))
    got = model(input_ids=ids).logits
    want = load(AutoModelForImageTextToText, merged)[0](input_ids=ids).logits
    new, info = load(AutoModelForImageTextToText, fresh)
    missing += len(info["missing_keys"]) + len(info["unexpected_keys"])
    text = load(AutoModelForCausalLM, pocket + "/judge")[0](input_ids=ids).logits
    print(json.dumps({
        "pairs": pairs,
        "missing": missing,
        "moved": float((got - plain).abs().max()),
        "off": float((got - want).abs().max()),
        "fresh_off": float((new(input_ids=ids).logits - text).abs().max()),
    }))
