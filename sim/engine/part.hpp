// What the engine knows of a part: how to make, evaluate and look at an instance of it.
#pragma once

#include <cstddef>
#include <cstdint>

class VerilatedContext;

namespace octopus {

struct Port {
    const char* name;
    uint32_t offset;   // in the state, in bytes
    uint16_t bytes;    // of its storage, which is zero above `width`
    uint16_t width;    // bits
    uint8_t is_input;
    uint8_t followed;  // `follow` looks at it; of other inputs only `edge` knows
};

struct Range {
    uint32_t first;
    uint32_t bytes;
};

// A register or net that the part keeps, for recording.
struct Variable {
    const char* name;  // in the part, dots between scopes
    uint32_t offset;
    uint32_t width;
};

struct Part {
    const char* name;
    uint32_t state_bytes;
    uint32_t shadow_bytes;
    uint32_t port_count;
    const Port* ports;
    // What must stay the same for the part to be at rest; and how many evaluations in a row it has
    // to (two if memories are left out, see docs/simulation.md).
    uint32_t range_count;
    const Range* ranges;
    uint32_t rest_proofs;
    bool has_state;  // an edge does something
    uint32_t variable_count;
    const Variable* variables;

    void* (*create)(VerilatedContext*, void** state);
    void (*destroy)(void* model);
    // Follow changed inputs, without a clock edge.
    void (*follow)(void* state);
    // A rising clock edge; the inputs have been followed.
    void (*edge)(void* state);
    // Note in `shadow` all outputs, and the indices of those that differed in `ports`; how many.
    uint32_t (*changed)(void* state, void* shadow, uint16_t* ports);
};

}  // namespace octopus
