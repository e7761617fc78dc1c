/* hand_over.h: how a policy's weights go from the trainer to samplers. */
#ifndef HAND_OVER_H
#define HAND_OVER_H

enum policy_hand_over {
    POLICY_FILES,
    POLICY_BOTH, /* ... and in the memory of the trainer's GPU (engine/handover.h), for
                    samplers on it */
    POLICY_GPU,  /* there alone: only the first version of a run, and the last
                    (policy_complete()), has a weights file; of those between, samplers
                    elsewhere get nothing */
};
#endif
