"""Greedy captions of a folder by transformers: greedy-check.py FOLDER ROOT IMAGE ..., a JSON
line of token ids for each. The picture's patches are made by its own processor."""

import json
import os
import sys

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

folder, root, images = sys.argv[1], sys.argv[2], sys.argv[3:]
torch.manual_seed(0)
processor = AutoProcessor.from_pretrained(folder)
model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
for name in images:
    messages = [{"role": "user", "content": [
        {"type": "image"}, {"type": "text", "text": "Please describe this image in detail."}]}]
    prompt = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    picture = Image.open(os.path.join(root, name)).convert("RGB")
    inputs = processor(text=[prompt], images=[picture], return_tensors="pt")
    with torch.no_grad():
        made = model.generate(**inputs, do_sample=False, max_new_tokens=96)
    ids = made[0, inputs["input_ids"].shape[1]:].tolist()
    end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    print(json.dumps({"image": name, "ids": ids[: ids.index(end)] if end in ids else ids}))
