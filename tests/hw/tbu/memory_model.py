"""A memory for test benches: serves a MemoryPort from a list, with random pauses."""

import random
from collections import deque


class MemoryModel:
    """``words`` of memory at global addresses from 0; everything beyond answers with errors.

    ``pace`` is the probability that a stream moves in a cycle. ``failing`` holds word numbers
    whose bursts are answered with an error.
    """

    def __init__(self, port, words, pace=1.0, seed=1, latency=2):
        self.port, self.pace, self.latency = port, pace, latency
        self.content = [0] * words
        self.failing = set()
        self.generator = random.Random(seed)
        self.reads = self.writes = 0

    def store(self, address, words):
        self.content[address // 4 : address // 4 + len(words)] = words

    def load(self, address, count):
        return self.content[address // 4 : address // 4 + count]

    async def serve(self, context):
        port = self.port
        bursts, words, answers = deque(), deque(), deque()
        now = 0
        while True:
            request, write, response = port.request, port.write, port.response
            accept = self.generator.random() < self.pace and len(bursts) < 4
            context.set(request.ready, accept)
            take = self.generator.random() < self.pace and len(words) < 4
            context.set(write.ready, take)
            if not context.get(response.valid):
                offer = answers and answers[0][0] <= now and self.generator.random() < self.pace
                context.set(response.valid, bool(offer))
                if offer:
                    _, word, last, error = answers[0]
                    context.set(response.payload, {"data": word, "last": last, "error": error})
            asked = bool(accept and context.get(request.valid))
            burst = context.get(request.payload) if asked else None
            gave = bool(take and context.get(write.valid))
            word = context.get(write.payload)
            done = context.get(response.valid) and context.get(response.ready)
            await context.tick()
            now += 1
            if done:
                answers.popleft()
                context.set(response.valid, 0)
            if gave:
                words.append(word)
            if asked:
                bursts.append((burst.write, burst.address // 4, burst.length + 1, burst.mask))
            self._work(bursts, words, answers, now)

    def _work(self, bursts, words, answers, now):
        while bursts:
            write, first, length, mask = bursts[0]
            span = range(first, first + length)
            error = int(first + length > len(self.content) or any(w in self.failing for w in span))
            if write:
                # words trickle in: take what is there
                while words and length:
                    word = words.popleft()
                    if not error:
                        assert mask == 15
                        self.content[first] = word
                    first, length = first + 1, length - 1
                    self.writes += 1
                if length:
                    bursts[0] = (write, first, length, mask)
                    return
                answers.append((now + self.latency, 0, 1, error))
            else:
                for index, place in enumerate(span):
                    word = 0 if error else self.content[place]
                    answers.append((now + self.latency + index, word, index == length - 1, error))
                    self.reads += 1
            bursts.popleft()
