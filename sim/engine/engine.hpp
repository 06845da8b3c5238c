// Runs a chip in parts: evaluates those that are not at rest, and carries what changes between them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "part.hpp"
#include "verilated.h"

namespace octopus {

class Reader;

// Where the bits of an output go.
struct Sink {
    uint8_t* to;
    uint32_t instance;
    uint16_t from_bit;
    uint16_t to_bit;
    uint16_t width;
    uint16_t bytes;  // of a port that is taken as a whole; kFewBits or 0: bits of it
    uint8_t level;   // 0: no output of the instance follows this input
    bool followed;   // it has to be followed before the next edge
};

constexpr uint16_t kFewBits = 3;  // for copy_few_bits

// The sinks of an output: first those of its own shard, then the others'.
struct Fan {
    uint32_t first;
    uint32_t others;
    uint32_t end;
};

struct Instance {
    const Part* part = nullptr;
    uint8_t* state = nullptr;
    uint8_t* shadow = nullptr;
    uint32_t fans = 0;           // index of the fan of port 0
    uint32_t shard = 0;
    bool dirty = false;          // an input changed since the last evaluation
    bool touched = false;        // an input changed since the last edge
    uint8_t proofs = 0;          // evaluations in a row that changed nothing
    uint16_t quiet = 0;          // edges in a row without a change of inputs and outputs
    uint16_t patience = 1;       // how many of them before rest is looked for
    uint16_t pending = 0;        // the level it waits at, 0: none
    std::unique_ptr<uint8_t[]> snapshot;
    void* model = nullptr;
};

struct Change {
    uint32_t instance;
    uint32_t port;
};

// Bits on their way to another shard.
struct Parcel {
    uint32_t sink;
    uint32_t first_word;
};

struct Mail {
    std::vector<Parcel> parcels;
    std::vector<uint32_t> words;
};

// Instances that one thread evaluates.
struct Shard {
    uint32_t first = 0, end = 0;      // of the instances
    std::vector<uint64_t> awake;      // a bit an instance from `first` on
    std::vector<Change> changes;
    std::vector<std::vector<uint32_t>> levels;
    uint32_t waiting = 0;             // instances in `levels`
    std::vector<Mail> mail[2];        // to each shard, in even and odd cycles
    uint64_t edges = 0, follows = 0;  // evaluations so far
    std::vector<uint16_t> ports;      // scratch
    alignas(64) char end_of_line[64];
};

class Engine {
  public:
    // parts: in the order of the tables. threads: at least one; no more are used than clusters.
    Engine(const Part* const* parts, const uint8_t* tables, uint32_t threads);
    ~Engine();

    // Storage of a port of the chip, where the driver writes inputs and reads outputs.
    uint8_t* port(const char* name);
    // Follow what the driver has written.
    void settle();
    // A rising clock edge.
    void edge();
    // Nothing changes until the driver writes an input.
    bool resting() const;
    // Outputs of the chip have changed since this was asked before.
    bool take_change() {
        const bool changed = outputs_changed_;
        outputs_changed_ = false;
        return changed;
    }

    uint32_t instance_count() const { return static_cast<uint32_t>(instances_.size()); }
    const Instance& instance(uint32_t index) const { return instances_[index]; }
    const std::string& path(uint32_t index) const { return paths_[index]; }
    uint64_t evaluations() const;

    // All state, in the order of the instances; `visit(address, bytes)`.
    template <typename Visit>
    void visit_state(Visit visit);
    // After the state was replaced: nothing is known to rest.
    void wake_all();

    // Counts evaluations from now on.
    void count_evaluations();
    // For each part: its name; evaluations at an edge, by themselves, ticks of both. How many parts.
    uint32_t profile(const char** names, uint64_t* counts) const;
    uint32_t part_count() const;

  private:
    void load(Reader& in, const Part* const* parts, uint32_t threads);
    void load_driver(Reader& in);
    void make_instance(Instance& instance, const Part& part, uint32_t shard, uint32_t fans);
    void prepare_shard(Shard& shard, uint32_t levels);
    const Port& port_of(uint32_t instance, uint32_t port) const;
    void load_joins(Reader& in, const std::vector<uint32_t>& place_of,
                    const std::vector<uint32_t>& level_of);
    void load_constants(Reader& in, const std::vector<uint32_t>& place_of);

    void carry(Shard& shard, const Instance& source, const Change& change, bool others_too);
    void deliver(const Sink& sink, const uint8_t* from);
    void mark(const Sink& sink);
    void evaluate_edges(Shard& shard);
    void look_for_rest(Shard& shard, uint32_t index);
    void settle_shard(Shard& shard);
    void settle_all();
    void receive(uint32_t shard);
    void cycle_of(uint32_t shard);
    void barrier();
    void work(uint32_t shard);
    void initialise();

    VerilatedContext context_;
    std::vector<Instance> instances_;
    std::vector<std::string> paths_;
    std::vector<Sink> sinks_;
    std::vector<Fan> fans_;
    std::vector<Shard> shards_;
    std::vector<std::string> driver_names_;
    std::vector<Port> driver_ports_;
    std::vector<uint8_t> driver_state_, driver_shadow_;
    std::vector<std::unique_ptr<uint8_t[]>> shadows_;
    bool outputs_changed_ = true;
    bool counting_ = false;
    std::vector<uint64_t> edge_counts_, follow_counts_, edge_ticks_, follow_ticks_;  // by instance
    bool alone_ = true;  // one thread acts for all shards

    std::vector<std::thread> workers_;
    std::atomic<uint32_t> arrived_{0}, generation_{0};
    std::atomic<uint64_t> started_{0};
    std::atomic<bool> ending_{false};
    uint32_t parity_ = 0;
};

template <typename Visit>
void Engine::visit_state(Visit visit) {
    for (uint32_t i = 1; i < instances_.size(); ++i)
        visit(instances_[i].state, instances_[i].part->state_bytes);
    visit(driver_state_.data(), driver_state_.size());
}

}  // namespace octopus
