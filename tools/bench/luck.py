"""How often luck alone sets off a rule on `pace` that is looked at all day, and how soon it finds who is slow.

Calls of somebody on pace are a Poisson process whose clock is what is expected: at the clock's e, e calls are expected. A
rule breaches at a count of k from a certain instant of that clock on: when k is below the threshold, and so far below e
that luck alone would bring so few less often than 1 - confidence. These instants rise with k, and between two of them
nothing can begin to breach. So the chance of an alert in a period is had exactly, by carrying the distribution of the
count from each such instant to the next; `for`, `min_elapsed` and `clear` only add instants.
"""
import bisect
import math

NOTHING = 1e-16


def tail(k, mean):
    """P(at most k) where so many are expected: Poisson, summed from the smallest term."""
    if mean <= 0:
        return 1.0
    return min(1.0, math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k + 1)))


def breaches_from(k, below, confidence):
    """The expectation from which on a count of k breaches."""
    low = k / below
    if confidence is None or (low > 0 and tail(k, low) <= 1 - confidence):
        return low
    high = max(1.0, low)
    while tail(k, high) > 1 - confidence:
        low, high = high, high * 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if tail(k, middle) <= 1 - confidence else (middle, high)
    return high


def later(counts, mean):
    """The distribution of a count after so long. The last entry stands for all beyond it, too. What is less likely than
    NOTHING is left where it is."""
    out = [0.0] * len(counts)
    last = len(counts) - 1
    term, steps = math.exp(-mean), []
    while len(steps) <= mean or term > NOTHING:
        steps.append(term)
        term *= mean / len(steps)
    for n, share in enumerate(counts):
        if share < NOTHING:
            out[n] += share
            continue
        for at, p in enumerate(steps[:last - n], n):
            out[at] += share * p
        if n + len(steps) > last:
            out[last] += share * math.fsum(steps[last - n:])
    return out


def move(of, into, chosen):
    """Move the counts that are chosen; how much that was."""
    moved = 0.0
    for n in chosen:
        into[n] += of[n]
        moved += of[n]
        of[n] = 0.0
    return moved


class Chance:
    """What a rule does in one period to somebody who works at rates[d] times the pace on working day d.

    alerts: how many are expected. alerted[d]: P(one at least has fired by the end of working day d), d from 0: no day."""

    def __init__(self, rule, daily, rates):
        self.rule, self.daily = rule, daily
        self.total = daily * rule.days
        back = rule.below * (1 + rule.clear)
        self.size = int(self.total * back) + 2          # who has so many is past all trouble
        self.rises = []
        while (at := breaches_from(len(self.rises), rule.below, rule.confidence)) < self.total:
            self.rises.append(at)
        self.back = back
        self.calm, self.again = self._none(), self._none()      # not firing: before the first alert, and after one
        self.firing = self._none()
        self.pending = {}       # by when they fire: the same two
        self.alerts, fired, self.alerted = 0.0, 0.0, [0.0]
        self.calm[0] = 1.0
        now, k, good = 0.0, -1, 0
        for at in self._instants():
            self._wait((at - now) * rates[min(int(now / daily), rule.days - 1)], k, good)
            if at > 0 and at / daily == round(at / daily):
                self.alerted += [fired] * (round(at / daily) + 1 - len(self.alerted))
            if at < self.total:
                fired += self._fire(self.pending.pop(at, None))
                k, good = bisect.bisect_right(self.rises, at) - 1, int(back * at + 1e-9) + 1
                if at >= rule.min_elapsed * daily:
                    fired += self._breach(at, k)
            now = at

    def _none(self):
        return [0.0] * self.size

    def _instants(self):
        rule, begin = self.rule, self.rule.min_elapsed * self.daily
        marks = {begin} | {day * self.daily for day in range(1, rule.days + 1)}
        marks |= {e for e in self.rises if e > begin}
        marks |= {n / self.back for n in range(self.size) if begin < n / self.back < self.total}
        if rule.wait:
            marks |= {at for at in map(self._fires_at, [e for e in self.rises if e > begin] + [begin]) if at}
        return sorted(marks)

    def _fires_at(self, at):
        """What begins to wait fires after `wait`, or when the next day begins, for the night counts. None: not in the period."""
        if not self.rule.wait:
            return at
        ends = (int(at / self.daily) + 1) * self.daily
        fires = at + self.rule.wait * self.daily
        return fires if fires < ends else ends if ends < self.total else None

    def _wait(self, mean, k, good):
        """Let time pass in which neither what breaches nor what is well again changes."""
        if mean <= 0:
            return
        self.calm, self.again, self.firing = later(self.calm, mean), later(self.again, mean), later(self.firing, mean)
        move(self.firing, self.again, range(good, self.size))
        for at, (first, further) in self.pending.items():
            first, further = later(first, mean), later(further, mean)
            move(first, self.calm, range(k + 1, self.size))
            move(further, self.again, range(k + 1, self.size))
            self.pending[at] = (first, further)

    def _fire(self, pending):
        if not pending:
            return 0.0
        first, further = (move(counts, self.firing, range(self.size)) for counts in pending)
        self.alerts += first + further
        return first

    def _breach(self, at, k):
        breach = (self._none(), self._none())
        move(self.calm, breach[0], range(k + 1))
        move(self.again, breach[1], range(k + 1))
        fires = self._fires_at(at)
        if fires == at:
            return self._fire(breach)
        if fires in self.pending:       # the night's end fires all that waits
            for counts, more in zip(self.pending[fires], breach):
                move(more, counts, range(self.size))
        elif fires:
            self.pending[fires] = breach
        return 0.0


def odd(seen, tries, p):
    """How likely a count is that is at least as far from tries * p on its side as the one that was seen: binomial."""
    def term(n):
        return math.exp(math.lgamma(tries + 1) - math.lgamma(n + 1) - math.lgamma(tries - n + 1) +
                        n * math.log(p) + (tries - n) * math.log1p(-p))
    if not 0 < p < 1:
        return 1.0 if seen == tries * p else 0.0
    return min(1.0, math.fsum(map(term, range(seen + 1))), math.fsum(map(term, range(seen, tries + 1))))
