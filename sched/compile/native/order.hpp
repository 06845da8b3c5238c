// When nodes should be done, and the order in which they are placed at first.
#pragma once

#include <algorithm>
#include <numeric>

#include "search.hpp"

namespace octopus {

// Which nodes lead to which, over values of any iteration and from offsets to gathered words.
inline void Search::reach() {
    size_t count = problem.nodes.size();
    std::vector<std::vector<int>> after(count);
    for (const Edge& edge : problem.edges) after[edge.producer].push_back(edge.consumer);
    for (size_t node = 0; node < count; node++)
        for (size_t store = 0; store < count; store++)
            if (gathers(static_cast<int>(store), static_cast<int>(node)))
                after[store].push_back(static_cast<int>(node));
    reach_.assign(count, std::vector<uint8_t>(count, 0));
    for (size_t start = 0; start < count; start++) {
        std::vector<int> stack{static_cast<int>(start)};
        while (!stack.empty()) {
            int node = stack.back();
            stack.pop_back();
            for (int user : after[node])
                if (!reach_[start][user]) reach_[start][user] = 1, stack.push_back(user);
        }
    }
}

// Earliest times, routes given some cycles; what waits for nothing is planned late.
inline void Search::plan() {
    size_t count = problem.nodes.size();
    std::vector<float> early(count, 0);
    auto delay = [&](const Edge& edge) {
        const Node& maker = problem.nodes[edge.producer];
        // A recurrence has no cycle to give away.
        bool free = edge.distance == 0 && maker.latency > 0 && !recurrent(edge.producer, edge.consumer);
        float slack = free ? manner_.slack : 0;
        return maker.latency + slack - static_cast<float>(edge.distance * problem.interval);
    };
    auto relax = [&](int from, int to, float gap) {
        if (early[from] + gap <= early[to] + 1e-4f) return false;
        early[to] = early[from] + gap;
        return true;
    };
    for (size_t round = 0; round <= count; round++) {
        bool changed = false;
        for (const Edge& edge : problem.edges)
            if (edge.producer != edge.consumer)
                changed |= relax(edge.producer, edge.consumer, delay(edge));
        for (const Order& order : problem.orders)
            changed |= relax(order.first, order.second,
                             static_cast<float>(order.cycles - order.distance * problem.interval));
        for (size_t node = 0; node < count; node++)  // the word of a gather after its offset
            for (size_t store = 0; store < count; store++)
                if (gathers(static_cast<int>(store), static_cast<int>(node)))
                    changed |= relax(static_cast<int>(store), static_cast<int>(node), 1);
        for (size_t node = 0; node < count; node++) {
            int data = partner(static_cast<int>(node));
            if (data < 0 || problem.nodes[node].parts) continue;
            changed |= relax(data, static_cast<int>(node), static_cast<float>(1 - problem.interval));
            changed |= relax(static_cast<int>(node), data, 1);
        }
        if (!changed) break;
    }
    if (manner_.lazily) {
        std::vector<int> sorted(count);
        std::iota(sorted.begin(), sorted.end(), 0);
        std::sort(sorted.begin(), sorted.end(), [&](int a, int b) { return early[a] > early[b]; });
        std::vector<uint8_t> free(count, 0);
        for (auto node = sorted.rbegin(); node != sorted.rend(); ++node) {
            const Node& one = problem.nodes[*node];
            free[*node] = one.role == LOAD ? one.pair < 0 : one.role == COMPUTE && !one.guarded;
            for (int edge : one.in)
                if (!free[problem.edges[edge].producer] || problem.edges[edge].distance) free[*node] = 0;
        }
        for (int node : sorted) {
            float latest = 1e9f;
            for (int edge : problem.nodes[node].out)
                latest = std::min(latest, early[problem.edges[edge].consumer] - delay(problem.edges[edge]));
            if (free[node] && latest < 1e8f) early[node] = std::max(early[node], latest);
        }
    }
    int start = problem.window == 1 ? problem.rows + problem.columns : 0;
    plan_.resize(count);
    for (size_t i = 0; i < count; i++) plan_[i] = static_cast<int>(early[i]) + start;
}

// Operands first; a recurrence in one piece.
inline void Search::ranks() {
    size_t count = problem.nodes.size();
    std::vector<float> key(count);
    for (size_t node = 0; node < count; node++) {
        key[node] = static_cast<float>(plan_[node]);
        if (problem.nodes[node].role == STORE) {
            int other = partner(static_cast<int>(node));
            if (other >= 0) key[node] = std::max(key[node], static_cast<float>(plan_[other]));
            key[node] += problem.nodes[node].parts ? 0.95f : 0.9f;
        }
        if (!reach_[node][node]) continue;
        for (size_t other = 0; other < count; other++)  // those of one recurrence come together
            if (recurrent(static_cast<int>(node), static_cast<int>(other)))
                key[node] = std::min(key[node], static_cast<float>(plan_[other]));
        key[node] += 0.001f * static_cast<float>(plan_[node]) - 0.5f;
    }
    std::vector<int> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::vector<float> tie(count);
    for (size_t node = 0; node < count; node++)
        tie[node] = problem.nodes[node].role == STORE ? 0 : 0.4f * chance(random);
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return key[a] + tie[a] < key[b] + tie[b]; });
    rank_.resize(count);
    for (size_t i = 0; i < count; i++) rank_[order[i]] = static_cast<int>(i);
}

inline int Search::next() const {
    int best = -1;
    for (size_t node = 0; node < problem.nodes.size(); node++)
        if (waiting_[node] && (best < 0 || rank_[node] < rank_[best])) best = static_cast<int>(node);
    return best;
}

}  // namespace octopus
