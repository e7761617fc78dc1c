# curate.sh by shards, side by side, and again from where it stopped:
#
#     make -f pipelines/curate.mk -j4 MODEL=http://host:8000/v1#name PICTURES=photos OUT=qa SHARDS=64
#
# makes OUT/qa.jsonl. ANSWERER is another model for the answers; GEN, ANSWER and FILTER are
# options of the stages (curate.sh -h). A shard with failed rows counts as made: they lie in
# its errors.*.jsonl files, and RETRY=1 tries them again.

SHARDS ?= 8
OUT ?= qa
ifeq ($(and $(MODEL),$(PICTURES)),)
$(error give MODEL= and PICTURES=)
endif

curate := $(dir $(lastword $(MAKEFILE_LIST)))curate.sh
folders := $(patsubst %,$(OUT)/shard-%-of-$(SHARDS),$(shell seq 0 $$(($(SHARDS) - 1))))
export GEN EXTRACT ANSWER FILTER

$(OUT)/qa.jsonl: $(folders:%=%/done)
	cat $(folders:%=%/qa.jsonl) > $@.tmp
	mv $@.tmp $@

# Status 1 is a shard in which rows failed; 75 and others stop here, to be made again.
$(OUT)/shard-%-of-$(SHARDS)/done: $(if $(RETRY),FORCE)
	$(curate) -m '$(MODEL)' $(if $(ANSWERER),-a '$(ANSWERER)') $(if $(RETRY),-r) \
	    -s $*/$(SHARDS) -o $(@D) $(PICTURES) || [ $$? = 1 ]
	touch $@

.PHONY: FORCE
FORCE:
