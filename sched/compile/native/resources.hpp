// The modulo resource table with prices: what is taken twice is dear, and dearer every time.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "problem.hpp"

namespace octopus {

using Random = std::mt19937_64;

inline float chance(Random& random) { return static_cast<float>(random() >> 40) / (1 << 24); }

// One kind of resource: `capacity` users each.
class Resource {
  public:
    std::vector<int> used;
    std::vector<float> price;

    void size(int count, int capacity, float base) {
        capacity_ = capacity;
        used.assign(count, 0), past_.assign(count, 0.0f), base_.assign(count, base);
        price.assign(count, base);
    }
    // Draws the base prices anew: by up to `scale` more.
    void draw(Random& random, float base, float scale) {
        for (float& one : base_) one = base + scale * chance(random);
    }
    void set_pressure(float pressure) {
        pressure_ = pressure;
        for (size_t i = 0; i < price.size(); i++) update(static_cast<int>(i));
    }
    void take(int i) { used[i]++, update(i); }
    void give(int i) { used[i]--, update(i); }
    bool over(int i) const { return used[i] > capacity_; }
    // What is taken too often gets dearer for good.
    int remember(float amount) {
        int count = 0;
        for (size_t i = 0; i < used.size(); i++)
            if (used[i] > capacity_) {
                count += used[i] - capacity_;
                past_[i] += amount * static_cast<float>(used[i] - capacity_);
                update(static_cast<int>(i));
            }
        return count;
    }

  private:
    int capacity_ = 1;
    float pressure_ = 1;
    std::vector<float> past_, base_;

    void update(int i) {
        int more = used[i] + 1 - capacity_;
        price[i] = base_[i] + past_[i] + (more > 0 ? pressure_ * static_cast<float>(more) : 0.0f);
    }
};

// Instructions of one PE and slot share the field that says their stage.
class Gates {
  public:
    void size(const Problem& problem) {
        problem_ = &problem;
        entries_.assign(problem.interval * problem.places, {});
    }
    void take(int slot, int time, bool exact) {
        entries_[slot].push_back(2 * problem_->stage(time) + exact);
    }
    void give(int slot, int time, bool exact) {
        auto& list = entries_[slot];
        auto found = std::find(list.begin(), list.end(), 2 * problem_->stage(time) + exact);
        *found = list.back();
        list.pop_back();
    }
    // Instructions that would not have the stage that they need, with one more.
    int conflicts(int slot, int time, bool exact) const {
        if (problem_->window == 1 || entries_[slot].empty()) return 0;
        return wrong(slot, 2 * problem_->stage(time) + exact) - wrong(slot, -1);
    }
    bool over(int slot) const {
        return problem_->window > 1 && entries_[slot].size() > 1 && wrong(slot, -1) > 0;
    }
    int total() const {
        int sum = 0;
        if (problem_->window > 1)
            for (size_t slot = 0; slot < entries_.size(); slot++)
                sum += wrong(static_cast<int>(slot), -1);
        return sum;
    }

  private:
    const Problem* problem_ = nullptr;
    std::vector<std::vector<int>> entries_;  // 2 * stage, and 1 if it must be this one

    int wrong(int slot, int extra) const {
        int least = extra < 0 ? 1 << 20 : extra / 2, count = 0;
        for (int entry : entries_[slot]) least = std::min(least, entry / 2);
        for (int entry : entries_[slot]) count += (entry & 1) && entry / 2 != least;
        return count + (extra >= 0 && (extra & 1) && extra / 2 != least);
    }
};

// All resources. `landing`: a PE writes one register a cycle. Indices: slot * places + place, for links times 4 plus direction.
struct Resources {
    const Problem& problem;
    Resource issue, landing, turn, second, registers, predicate, link, select, entry;
    Gates gates;
    float pressure = 1;

    Resources(const Problem& p, Random& random, float scale) : problem(p) {
        int count = p.interval * p.places;
        issue.size(count, 1, 0), landing.size(count, 1, 0), turn.size(count, 1, 0.3f);
        second.size(count, 1, 0), registers.size(count, p.registers, 0.05f);
        predicate.size(count, 1, 0), link.size(4 * count, 1, 1), select.size(4 * count, 1, 0);
        entry.size(p.interval * p.ports, 1, 0.5f);
        issue.draw(random, 0, scale), link.draw(random, 1, scale), turn.draw(random, 0.3f, scale);
        entry.draw(random, 0.5f, scale);
        gates.size(p);
    }
    int at(int time, int place) const { return problem.slot(time) * problem.places + place; }
    void press(float amount) {
        pressure = amount;
        for (Resource* one : all()) one->set_pressure(amount);
    }
    int remember(float amount) {
        int count = gates.total();
        for (Resource* one : all()) count += one->remember(amount);
        return count;
    }
    float gate(int time, int place, bool exact) const {
        if (problem.window == 1) return 0;
        return pressure * static_cast<float>(gates.conflicts(at(time, place), time, exact));
    }

  private:
    std::vector<Resource*> all() {
        return {&issue,     &landing, &turn,   &second, &registers,
                &predicate, &link,    &select, &entry};
    }
};

}  // namespace octopus
