"""What PyTorch and transformers make of the same GPU and weights: prefill, decode and a
supervised update, as bench-gpu does them. One JSON object a line; people read stderr.

Usage: bench-gpu-peer.py MODEL OURS (OURS: what bench-gpu printed).
"""
import json
import sys
import time

import torch
from transformers import AutoModelForImageTextToText

PROMPTS, LENGTH, DECODE, ROUNDS = 8, 2048, 128, 3
TRAIN_ROWS, TRAIN_LENGTH = 16, 1024


def seconds(work):
    """The median of ROUNDS runs behind one that warms up."""
    times = []
    for _ in range(ROUNDS + 1):
        torch.cuda.synchronize()
        start = time.monotonic()
        work()
        torch.cuda.synchronize()
        times.append(time.monotonic() - start)
    return sorted(times[1:])[ROUNDS // 2]


def main():
    folder, ours = sys.argv[1], {}
    with open(sys.argv[2], encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            ours[row["what"]] = row["value"]

    def say(what, value, unit, name, asked):
        ratio = ours[name] / value if name in ours else None
        print(json.dumps({"what": what, "value": value, "unit": unit, "ours": name,
                          "ratio": ratio, "asked": asked}), flush=True)
        print(f"{what:34} {value:10.4g} {unit:10} ours: {ratio or 0:.2f} x (asked: {asked} x)",
              file=sys.stderr)

    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.bfloat16, device_map="cuda", attn_implementation="sdpa")
    text = model.config.get_text_config()
    layers = sum(p.numel() for n, p in model.named_parameters()
                 if "layers." in n and "visual" not in n and p.dim() == 2)
    head = text.vocab_size * text.hidden_size
    ids = torch.randint(0, text.vocab_size * 9 // 10, (PROMPTS, LENGTH), device="cuda")

    with torch.inference_mode():
        took = seconds(lambda: model(input_ids=ids, logits_to_keep=1))
        tokens = PROMPTS * LENGTH
        flops = 2 * layers * tokens + 2 * text.num_hidden_layers * \
            text.num_attention_heads * text.head_dim * tokens * LENGTH
        say("transformers, prefill", flops / took / 1e12, "TFLOP/s", "prefill, library products", 1.3)

        def decode(count):
            model.generate(ids[:1, :16], max_new_tokens=count, min_new_tokens=count,
                           do_sample=False)
        took = seconds(lambda: decode(DECODE + 1)) - seconds(lambda: decode(1))
        say("transformers, decode", DECODE / took, "tokens/s", "decode, 1 sample", 5)

    for name, parameter in model.named_parameters():
        parameter.requires_grad_("visual" not in name)
    model.gradient_checkpointing_enable()
    model.train()
    step = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad],
                             lr=1e-6, fused=True)
    rows = torch.randint(0, text.vocab_size * 9 // 10, (TRAIN_ROWS, TRAIN_LENGTH), device="cuda")

    def update():
        for at in range(0, TRAIN_ROWS, 8):
            part = rows[at:at + 8]
            model(input_ids=part, labels=part).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        step.step()
        step.zero_grad()
    took = seconds(update)
    say("transformers, supervised update", 6 * (layers + head) * TRAIN_ROWS * TRAIN_LENGTH / took / 1e12,
        "TFLOP/s", "supervised update", 1.3)


main()
