"""Snapshots out: to whom, when, and in what order."""
import msgpack
import zmq

from daemon import Case, main, now_ms, receive, until

CONFIG = """
roster:
  members: [{rep: ana, name: Ana Silva, team: one, region: emea}, {rep: "b/b%", team: two, region: apac}]
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [1h, 5s/1s]}
  bought: {aggregate: sum, of: amount, by: [client], windows: [1h]}
alerts:
  busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}}
"""
CALL = {"type": "call", "rep": "ana"}


class Publish(Case):
    def test_a_new_subscriber_of_a_prefix_gets_what_there_is_at_once(self):
        d = self.daemon(CONFIG, interval="1h", full="1h")
        d.send(CALL, {"type": "x", "client": "a/c", "amount": 5})
        for prefix, topics in (("snapshot/emea/", {"snapshot/emea/", "snapshot/emea/one/", "snapshot/emea/one/ana/"}),
                               ("snapshot/apac/two/", {"snapshot/apac/two/", "snapshot/apac/two/b%2Fb%25/"}),
                               ("snapshot/@client/", {"snapshot/@client/a%2Fc/"})):
            sub = d.subscribe(prefix)
            found = set()
            while found != topics:      # again, too, when a pass over all keys was on its way
                found.add(receive(sub)[0])
                self.assertLessEqual(found, topics)
            sub.close()
        d.stop()

    def test_what_changed_is_told_each_interval_and_nothing_else(self):
        d = self.daemon(CONFIG)
        sub = d.subscribe("snapshot/")
        for _ in range(7):      # the company, two regions, two teams, two reps
            self.assertTrue(receive(sub, lambda t, m: m["full"]))
        d.send(CALL)
        topic, message = receive(sub, lambda t, m: t == "snapshot/emea/one/ana/" and m["kpis"]["calls"]["1h"]["value"] == 1)
        self.assertFalse(message["full"])
        self.assertEqual((message["v"], message["kind"], message["level"], message["key"], message["name"], message["path"]),
                         (1, "snapshot", "rep", "ana", "Ana Silva", ["emea", "one", "ana"]))
        self.assertEqual(message["kpis"]["calls"]["1h"], {"value": 1, "n": 1, "rank": 1, "of": 1, "status": "ok"})
        # time alone changes it, too: the call leaves the window of five seconds
        topics = set()
        receive(sub, lambda t, m: topics.add(t) or t == "snapshot/emea/one/ana/" and m["kpis"]["calls"]["5s/1s"]["value"] == 0)
        self.assertLessEqual(topics, {"snapshot/", "snapshot/emea/", "snapshot/emea/one/", "snapshot/emea/one/ana/"})
        d.stop()

    def test_nothing_is_made_that_nobody_follows(self):
        d = self.daemon(CONFIG, interval="20ms")
        alerts, ana = d.subscribe("alert/"), d.subscribe("snapshot/emea/one/ana/")
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 2)
        seqs = []
        receive(ana, lambda t, m: seqs.append(m["seq"]) or True)
        d.send({**CALL, "rep": "b/b%"}, {"type": "x", "client": "acme", "amount": 5}, CALL)
        for wanted in (1, 0):       # comes, and leaves the window of five seconds, as does the other one's
            receive(ana, lambda t, m: seqs.append(m["seq"]) or m["kpis"]["calls"]["5s/1s"]["value"] == wanted)
        d.send(CALL)                # two calls in the hour: an alert
        seqs.append(receive(alerts)[1]["seq"])
        receive(ana, lambda t, m: seqs.append(m["seq"]) or m["kpis"]["calls"]["1h"]["value"] == 2)
        self.assertEqual(sorted(seqs), list(range(1, len(seqs) + 1)))   # all that there was, to anybody
        d.stop()

    def test_a_prefix_is_followed_until_the_last_of_its_subscribers_has_left(self):
        d = self.daemon(CONFIG)
        first, second = d.subscribe("snapshot/emea/one/ana/"), d.subscribe("snapshot/emea/one/ana/")
        for sub in (first, second):     # each is told what there is when it comes
            self.assertTrue(receive(sub)[1]["full"])
        first.close()
        d.send(CALL)
        receive(second, lambda t, m: m["kpis"]["calls"]["1h"]["value"] == 1)
        second.close()
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 0)
        d.stop()

    def test_all_are_told_every_full_interval_and_seq_rises_by_one(self):
        d = self.daemon(CONFIG, full="200ms")
        sub = d.subscribe("")
        first = receive(sub)[1]["seq"]
        times = {}
        for i in range(1, 60):
            topic, message = receive(sub)
            self.assertEqual(message["seq"], first + i)
            times[topic] = times.get(topic, 0) + 1
        self.assertGreaterEqual(times["snapshot/apac/"], 2)
        d.stop()

    def test_json_when_asked_for(self):
        d = self.daemon(CONFIG, format="json")
        sub = d.subscribe("snapshot/emea/one/ana/")
        self.assertEqual(receive(sub)[1]["key"], "ana")
        d.stop()

    def test_the_last_word_comes_at_the_end(self):
        d = self.daemon(CONFIG, interval="1h", full="1h")
        sub = d.subscribe("snapshot/emea/one/ana/")
        receive(sub)
        d.send(CALL)
        d.process.terminate()
        receive(sub, lambda t, m: m["kpis"]["calls"]["1h"]["value"] == 1)
        d.stop()

    def test_a_subscriber_that_does_not_read_delays_nobody_and_is_counted(self):
        d = self.daemon(CONFIG, interval="10ms", hwm=5)
        dead = d.socket(zmq.SUB, "publish", RCVHWM=1, RCVBUF=4096, SUBSCRIBE=b"snapshot/")
        alive = d.socket(zmq.SUB, "publish", RCVHWM=0, SUBSCRIBE=b"snapshot/emea/one/ana/")
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 2)
        push = d.socket(zmq.PUSH, "pull")
        sent = 0

        def dropped():
            nonlocal sent
            for _ in range(5):
                push.send(msgpack.packb([{"type": "call", "rep": f"r{(sent + i) % 2000}", "time": now_ms()} for i in range(500)]))
                sent += 500
            return d.metrics()["kpid_publish_dropped_total"]
        until(dropped, "a dropped message")
        d.send(CALL)
        until(lambda: d.metrics()["kpid_events_accepted_total"] == sent + 1, "all events")
        receive(alive, lambda t, m: m["kpis"]["calls"]["1h"]["value"] == 1)     # the others lose nothing by it
        dead.close()
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 1)
        d.stop()

    def test_what_a_subscriber_left_behind_is_not_sent_any_more(self):
        d = self.daemon(CONFIG, interval="10ms")
        subs = [d.subscribe("snapshot/"), d.subscribe("snapshot/emea/")]
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 2)
        for sub in subs:
            sub.close()
        until(lambda: d.metrics()["kpid_publish_subscriptions"] == 0)
        before = d.metrics()["kpid_publish_snapshots_total"]
        d.send(CALL)
        self.assertEqual(d.metrics()["kpid_publish_snapshots_total"], before)
        d.stop()


main()
