// What it costs to bring a value to one use, from every place and time where it could be made.
#pragma once

#include <algorithm>
#include <vector>

#include "routes.hpp"

namespace octopus {

class Backward {
  public:
    Backward(const Problem& p, const Resources& r) : problem_(p), res_(r) {}

    // Routes that begin at `begin` or later and end with a use at a place and time.
    void run(int place, int time, int begin, bool through_registers);

    // If an operation of `latency` makes the value at a place, issued at a time, for a use
    // `distance` iterations later.
    float cost(int place, int issued, int latency, int distance) const;

  private:
    const Problem& problem_;
    const Resources& res_;
    int first_ = 0, count_ = 0;
    bool through_registers_ = true;
    std::vector<float> link_, landed_, read_;  // by time, place (and direction)

    int cell(int k, int place) const { return k * problem_.places + place; }
    void retreat(int k, int target, int end);
};

inline void Backward::run(int place, int time, int begin, bool through_registers) {
    first_ = begin, count_ = std::max(0, time - begin + 1), through_registers_ = through_registers;
    size_t cells = static_cast<size_t>(count_) * problem_.places;
    link_.assign(4 * cells, NEVER), landed_.assign(cells, NEVER), read_.assign(cells, NEVER);
    for (int k = count_ - 1; k >= 0; k--) retreat(k, place, time);
}

// `link_`: the value is on an output link; `read_`: it can be read from a register in this cycle;
// `landed_`: it can be read from this cycle on.
inline void Backward::retreat(int k, int target, int end) {
    int time = first_ + k, copy = problem_.copy_latency;
    for (int place = 0; place < problem_.places; place++) {
        if (problem_.far(place, target) > end - time + 1) continue;
        int at = cell(k, place), here = res_.at(time, place);
        float used = time == end && place == target ? 0 : NEVER;
        float turned = NEVER, copied = NEVER, gate = 0;
        if (time >= 0 && k + 1 < count_) {
            gate = res_.gate(time, place, !problem_.lenient);
            for (int direction = 0; direction < 4; direction++) {
                if (problem_.neighbour(place, direction) < 0) continue;
                float select = res_.select.price[4 * here + direction];
                float one = select + link_[4 * cell(k + 1, place) + direction] +
                            res_.link.price[4 * res_.at(time + 1, place) + direction];
                turned = std::min(turned, one);
                if (k + copy >= count_) continue;
                one = select + link_[4 * cell(k + copy, place) + direction] +
                      res_.link.price[4 * res_.at(time + copy, place) + direction];
                copied = std::min(copied, one);
            }
            turned += res_.turn.price[here];
            if (k + copy < count_) {
                if (through_registers_)
                    copied = std::min(copied, landed_[cell(k + copy, place)] + 0.2f +
                                                  res_.landing.price[res_.at(time + copy, place)]);
                copied += 4 + gate + res_.issue.price[here];
            }
        }
        float other = std::min(used, copied);
        read_[at] = std::min(other, turned + gate + res_.second.price[here]);
        float keeping = 0, landed = NEVER;
        for (int j = k; j < count_ && j < k + problem_.interval; j++) {
            keeping += res_.registers.price[res_.at(first_ + j, place)];
            landed = std::min(landed, keeping + read_[cell(j, place)]);
        }
        landed_[at] = landed;
        // What enters here is on a link of a neighbour.
        float any = std::min(other, turned);
        for (int side = 0; side < 4; side++) {
            int there = problem_.neighbour(place, side);
            if (there < 0) continue;
            float inside = any;
            int ahead = OPPOSITE[side];
            if (time >= 0 && k + 1 < count_ && problem_.neighbour(place, ahead) >= 0) {
                float straight = res_.select.price[4 * here + ahead] +
                                 link_[4 * cell(k + 1, place) + ahead] +
                                 res_.link.price[4 * res_.at(time + 1, place) + ahead];
                inside = std::min(inside, straight);
            }
            link_[4 * cell(k, there) + OPPOSITE[side]] = inside;
        }
    }
}

inline float Backward::cost(int place, int issued, int latency, int distance) const {
    int k = issued + latency - first_;
    float best = NEVER;
    if (distance == 0 && k >= 0 && k < count_)
        for (int direction = 0; direction < 4; direction++) {
            if (problem_.neighbour(place, direction) < 0) continue;
            float one = link_[4 * cell(k, place) + direction] +
                        res_.select.price[4 * res_.at(issued, place) + direction] +
                        res_.link.price[4 * res_.at(issued + latency, place) + direction];
            best = std::min(best, one);
        }
    k -= distance * problem_.interval;
    if (!through_registers_ || k >= count_) return best;
    if (k >= 0) return std::min(best, landed_[cell(k, place)] + 0.2f +
                                               res_.landing.price[res_.at(first_ + k, place)]);
    // Made before the routes that were looked at begin: what is left of the interval.
    float keeping = 0;
    for (int j = k; j < count_ && j < k + problem_.interval; j++)
        if (j >= 0) {
            keeping += res_.registers.price[res_.at(first_ + j, place)];
            best = std::min(best, keeping + read_[cell(j, place)] + 0.2f);
        }
    return best;
}

}  // namespace octopus
