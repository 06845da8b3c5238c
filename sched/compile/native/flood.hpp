// Cheapest routes of a value, forward from where it is and backward from where it is wanted.
#pragma once

#include <algorithm>
#include <vector>

#include "routes.hpp"

namespace octopus {

// Where a value can be had: in a tree already, or as a step yet to be made (`fresh`).
struct Seed {
    Step step;
    int existing;  // index of the step in its tree, -1: fresh
};

// Whether and at what price a word of a stream may come in at a port and time.
struct EntryRule {
    virtual float price(int node, int port, int time) const = 0;
    virtual ~EntryRule() = default;
};

class Forward {
  public:
    int first = 0, count = 0;

    Forward(const Problem& p, Resources& r, Routes& routes) : problem_(p), res_(r), routes_(routes) {}

    // All routes of `net` that arrive until `last`; towards `target` only, if that is given, and
    // over the array's edge if `leaving`.
    void run(int net, int begin, int last, const EntryRule& rule, int target = -1, bool leaving = false);

    float cost(int place, int time) const {
        int k = time - first;
        return k < 0 || k >= count ? NEVER : cost_[k * problem_.places + place];
    }
    float link_cost(int place, int direction, int time) const {
        int k = time - first;
        return k < 0 || k >= count ? NEVER : link_[(k * problem_.places + place) * 4 + direction];
    }
    // Adds the steps of the cheapest route to a tree; the index of its last step. `source`: the side
    // from which the value is taken, or REGISTER.
    int take(int net, int place, int time, int& source);
    int leave(int net, int place, int direction, int time);

  private:
    struct From {
        int8_t how;    // 0 seed, 1 straight, 2 turned, 3 copied, 4 turned from a register
        int32_t seed;
    };
    const Problem& problem_;
    Resources& res_;
    Routes& routes_;
    std::vector<float> link_, landing_, cost_, register_, entry_;
    std::vector<From> link_from_, landing_from_;
    std::vector<int32_t> entry_from_, register_from_;
    std::vector<Seed> seeds_;

    int cell(int k, int place) const { return k * problem_.places + place; }
    void seed_link(int k, int place, int direction, float cost, const Seed& seed);
    void seed_landing(int k, int place, float cost, const Seed& seed);
    void seed_results(int place, int issued, int latency, int parent, bool leaving);
    void seeds(int net, const EntryRule& rule, bool leaving);
    void advance(int k, bool through_registers, int target, bool leaving);
    float inside(int k, int place, int side) const;
    int nearest(int k, int place, float& cost) const;

    int make(int net, const Seed& seed);
    int to_link(int net, int k, int place, int direction);
    int to_inside(int net, int k, int place, int side);
    int to_register(int net, int k, int place);
    int to_copy(int net, int k, int place);
};

inline float Forward::inside(int k, int place, int side) const {
    int there = problem_.neighbour(place, side);
    if (there >= 0) return link_[4 * cell(k, there) + OPPOSITE[side]];
    if (side == WEST) return entry_[k * problem_.ports + problem_.row(place)];
    if (side == NORTH) return entry_[k * problem_.ports + problem_.rows + problem_.column(place)];
    return NEVER;
}

inline int Forward::nearest(int k, int place, float& cost) const {
    int best = 0;
    cost = NEVER;
    for (int side = 0; side < 4; side++) {
        float one = inside(k, place, side);
        if (one < cost) cost = one, best = side;
    }
    return best;
}

inline void Forward::seed_link(int k, int place, int direction, float cost, const Seed& seed) {
    if (k < 0 || k >= count) return;
    int at = 4 * cell(k, place) + direction;
    if (cost >= link_[at]) return;
    link_[at] = cost;
    link_from_[at] = {0, static_cast<int32_t>(seeds_.size())};
    seeds_.push_back(seed);
}

inline void Forward::seed_landing(int k, int place, float cost, const Seed& seed) {
    if (k < 0 || k >= count) return;
    int at = cell(k, place);
    if (cost >= landing_[at]) return;
    landing_[at] = cost;
    landing_from_[at] = {0, static_cast<int32_t>(seeds_.size())};
    seeds_.push_back(seed);
}

inline void Forward::seed_results(int place, int issued, int latency, int parent, bool leaving) {
    int ready = issued + latency;
    for (int direction = 0; direction < 4; direction++) {
        if (problem_.neighbour(place, direction) < 0 &&
            !(leaving && (direction == WEST || direction == NORTH)))
            continue;
        float price = res_.select.price[4 * res_.at(issued, place) + direction] +
                      res_.link.price[4 * res_.at(ready, place) + direction];
        Step step{WIRE, place, ready, direction, issued, RESULT, parent, 0, 0, false};
        seed_link(ready - first, place, direction, price, {step, -1});
    }
}

inline void Forward::seeds(int net, const EntryRule& rule, bool leaving) {
    const Net& own = problem_.nets[net];
    const Node& node = problem_.nodes[own.producer];
    const auto& tree = routes_.trees[net];
    for (size_t i = 0; i < tree.size(); i++) {
        const Step& step = tree[i];
        if (!step.live) continue;
        int index = static_cast<int>(i), k = step.time - first;
        Seed here{step, index};
        if (step.kind == WIRE) {
            seed_link(k, step.place, step.source, 0, here);
        } else if (step.kind == HOLD) {
            seed_landing(k, step.place, 0, here);
        } else if (step.kind == ENTRY) {
            if (k >= 0 && k < count) {
                entry_[k * problem_.ports + step.source] = 0;
                entry_from_[k * problem_.ports + step.source] = static_cast<int32_t>(seeds_.size());
                seeds_.push_back(here);
            }
        } else if (step.kind == COPY) {
            int ready = step.time + problem_.copy_latency;
            seed_results(step.place, step.time, problem_.copy_latency, index, leaving);
            if (!node.guarded) {
                Step hold{HOLD, step.place, ready, 0, 0, 0, index, 0, 0, false};
                seed_landing(ready - first, step.place,
                             0.2f + res_.landing.price[res_.at(ready, step.place)], {hold, -1});
            }
        } else {
            for (int direction = 0; direction < 4; direction++) {
                if (problem_.neighbour(step.place, direction) < 0 &&
                    !(leaving && (direction == WEST || direction == NORTH)))
                    continue;
                float price = res_.select.price[4 * res_.at(step.time, step.place) + direction] +
                              res_.link.price[4 * res_.at(step.time + 1, step.place) + direction];
                Step wire{WIRE, step.place, step.time + 1, direction, step.time, ROUTE, index, 0, 0, false};
                seed_link(k + 1, step.place, direction, price, {wire, -1});
            }
        }
    }
    if (node.role == COMPUTE) {
        int place = routes_.places[own.producer], issued = routes_.times[own.producer];
        int ready = issued + node.latency - own.distance * problem_.interval;
        if (own.distance == 0) seed_results(place, issued, node.latency, -1, leaving);
        if (!node.guarded) {
            Step hold{HOLD, place, ready, 0, 0, 0, -1, 0, 0, false};
            seed_landing(ready - first, place, 0.2f + res_.landing.price[res_.at(ready, place)],
                         {hold, -1});
        }
    } else if (node.role == LOAD) {
        for (int port = 0; port < problem_.ports; port++)
            for (int k = 0; k < count; k++) {
                float price = rule.price(own.producer, port, first + k);
                float& best = entry_[k * problem_.ports + port];
                if (price >= best) continue;
                best = price;
                entry_from_[k * problem_.ports + port] = static_cast<int32_t>(seeds_.size());
                Step step{ENTRY, problem_.port_place(port), first + k, port, 0, 0, -1, 0, 0, false};
                seeds_.push_back({step, -1});
            }
    }
}

inline void Forward::run(int net, int begin, int last, const EntryRule& rule, int target, bool leaving) {
    first = begin, count = std::max(0, last - begin + 1);
    size_t cells = static_cast<size_t>(count) * problem_.places;
    link_.assign(4 * cells, NEVER), landing_.assign(cells, NEVER);
    cost_.assign(cells, NEVER), register_.assign(cells, NEVER);
    entry_.assign(static_cast<size_t>(count) * problem_.ports, NEVER);
    link_from_.resize(4 * cells), landing_from_.resize(cells);
    entry_from_.resize(entry_.size()), register_from_.resize(cells);
    seeds_.clear();
    seeds(net, rule, leaving);
    bool through_registers = !problem_.nodes[problem_.nets[net].producer].guarded;
    for (int k = 0; k < count; k++) advance(k, through_registers, target, leaving);
}

inline void Forward::advance(int k, bool through_registers, int target, bool leaving) {
    int time = first + k, copy = problem_.copy_latency;
    for (int place = 0; place < problem_.places; place++) {
        if (target >= 0 && problem_.far(place, target) > count - 1 - k) continue;
        int at = cell(k, place), here = res_.at(time, place);
        float near;
        nearest(k, place, near);
        float held = NEVER;
        float keeping = 0;
        for (int j = k; j >= 0 && j > k - problem_.interval; j--) {
            keeping += res_.registers.price[res_.at(first + j, place)];
            float one = landing_[cell(j, place)] + keeping;
            if (one < held) held = one, register_from_[at] = j;
        }
        register_[at] = held;
        float cost = std::min(near, held);
        cost_[at] = cost;
        if (cost >= NEVER || time < 0) continue;
        if (k + 1 < count) {
            float gate = held < NEVER ? res_.gate(time, place, !problem_.lenient) : 0;
            held += gate + res_.second.price[here];
            int8_t turn = near <= held ? 2 : 4;
            float turned = std::min(near, held) + res_.turn.price[here];
            for (int direction = 0; direction < 4; direction++) {
                if (problem_.neighbour(place, direction) < 0 &&
                    !(leaving && (direction == WEST || direction == NORTH)))
                    continue;
                float straight = inside(k, place, OPPOSITE[direction]);
                float hop = res_.select.price[4 * here + direction] +
                            res_.link.price[4 * res_.at(time + 1, place) + direction];
                int there = 4 * cell(k + 1, place) + direction;
                float one = std::min(straight, turned) + hop;
                if (one < link_[there]) {
                    link_[there] = one;
                    link_from_[there] = {static_cast<int8_t>(straight <= turned ? 1 : turn), 0};
                }
            }
        }
        if (k + copy < count) {
            float copied = cost + 4 + res_.issue.price[here] +
                           res_.gate(time, place, !problem_.lenient);
            for (int direction = 0; direction < 4; direction++) {
                if (problem_.neighbour(place, direction) < 0 &&
                    !(leaving && (direction == WEST || direction == NORTH)))
                    continue;
                float one = copied + res_.select.price[4 * here + direction] +
                            res_.link.price[4 * res_.at(time + copy, place) + direction];
                int there = 4 * cell(k + copy, place) + direction;
                if (one < link_[there]) link_[there] = one, link_from_[there] = {3, 0};
            }
            int there = cell(k + copy, place);
            copied += 0.2f + res_.landing.price[res_.at(time + copy, place)];
            if (through_registers && copied < landing_[there])
                landing_[there] = copied, landing_from_[there] = {3, 0};
        }
    }
}

inline int Forward::make(int net, const Seed& seed) {
    return seed.existing >= 0 ? seed.existing : routes_.add(net, seed.step);
}

inline int Forward::take(int net, int place, int time, int& source) {
    int k = time - first;
    float near;
    int side = nearest(k, place, near);
    source = near <= register_[cell(k, place)] ? side : REGISTER;
    return source == REGISTER ? to_register(net, k, place) : to_inside(net, k, place, side);
}

inline int Forward::leave(int net, int place, int direction, int time) {
    return to_link(net, time - first, place, direction);
}

inline int Forward::to_inside(int net, int k, int place, int side) {
    int there = problem_.neighbour(place, side);
    if (there >= 0) return to_link(net, k, there, OPPOSITE[side]);
    int port = side == WEST ? problem_.row(place) : problem_.rows + problem_.column(place);
    return make(net, seeds_[entry_from_[k * problem_.ports + port]]);
}

inline int Forward::to_register(int net, int k, int place) {
    int landed = register_from_[cell(k, place)];
    const From& from = landing_from_[cell(landed, place)];
    if (from.how == 0) return make(net, seeds_[from.seed]);
    int before = to_copy(net, landed - problem_.copy_latency, place);
    return routes_.add(net, {HOLD, place, first + landed, 0, 0, 0, before, 0, 0, false});
}

inline int Forward::to_copy(int net, int k, int place) {
    int source;
    int before = take(net, place, first + k, source);
    return routes_.add(net, {COPY, place, first + k, source, 0, 0, before, 0, 0, false});
}

inline int Forward::to_link(int net, int k, int place, int direction) {
    const From& from = link_from_[4 * cell(k, place) + direction];
    int time = first + k;
    if (from.how == 0) return make(net, seeds_[from.seed]);
    if (from.how == 1) {
        int before = to_inside(net, k - 1, place, OPPOSITE[direction]);
        return routes_.add(net, {WIRE, place, time, direction, time - 1, STRAIGHT, before, 0, 0, false});
    }
    if (from.how == 3) {
        int before = to_copy(net, k - problem_.copy_latency, place);
        int issued = time - problem_.copy_latency;
        return routes_.add(net, {WIRE, place, time, direction, issued, RESULT, before, 0, 0, false});
    }
    int source = REGISTER, before;
    if (from.how == 4) {
        before = to_register(net, k - 1, place);
    } else {
        float near;
        source = nearest(k - 1, place, near);
        before = to_inside(net, k - 1, place, source);
    }
    int turn = routes_.add(net, {TURN, place, time - 1, source, 0, 0, before, 0, 0, false});
    return routes_.add(net, {WIRE, place, time, direction, time - 1, ROUTE, turn, 0, 0, false});
}

}  // namespace octopus
