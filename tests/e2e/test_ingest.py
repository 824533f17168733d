"""Events in, over every socket and in both formats, by clients that are not written in C."""
import datetime
import json
import math
import random

import msgpack
import zmq

from daemon import Case, main, now_ms, until

CONFIG = """
roster:
  levels: [region, team, rep]
  members: [{rep: ana, team: one, region: emea, aliases: ["ext:1"]}]
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [1h]}
  sales: {aggregate: sum, of: amount, where: {type: stage, stage: won}, windows: [1h]}
"""


class Ingest(Case):
    def each_socket(self, transport):
        d = self.daemon(CONFIG, transport=transport)
        push = d.socket(zmq.PUSH, "pull")
        push.send(msgpack.packb({"type": "call", "rep": "ana"}))
        push.send_multipart([b"call", msgpack.packb({"rep": "ext:1"})])         # the topic is the type
        push.send(json.dumps([{"type": "call", "rep": "ana"}, {"type": "call", "rep": "ana"}]).encode())
        pub = d.socket(zmq.XPUB, "sub")
        topics = {pub.recv() for _ in range(2)}
        self.assertEqual(topics, {b"\x01call", b"\x01stage"})
        pub.send_multipart([b"call", msgpack.packb({"rep": "ana", "source": "pbx", "seq": 1})])
        pub.send_multipart([b"mail", msgpack.packb({"rep": "ana"})])            # nobody subscribed to it
        pub.send_multipart([b"call", msgpack.packb({"rep": "ana", "source": "pbx", "seq": 5})])
        self.assertEqual(d.send({"type": "call", "rep": "ana"}),
                         {"accepted": 1, "duplicates": 0, "rejected": 0, "errors": [], "seq": 1, "durable": False})
        until(lambda: d.value("rep", "ana", "calls", "1h") == 7, "seven calls")
        self.assertEqual(d.metrics()['kpid_source_gaps_total{source="pbx"}'], 3)
        d.stop()

    def test_each_socket_over_tcp(self):
        self.each_socket("tcp")

    def test_each_socket_over_ipc(self):
        self.each_socket("ipc")

    def test_a_dealer_gets_its_own_frames_back(self):
        d = self.daemon(CONFIG)
        dealer = d.socket(zmq.DEALER, "router")
        for i in range(300):
            dealer.send_multipart([b"%d" % i, b"", msgpack.packb({"type": "call", "rep": "ana", "id": str(i)})])
        for i in range(300):
            number, empty, reply = dealer.recv_multipart()
            self.assertEqual((number, empty), (b"%d" % i, b""))
            self.assertEqual(msgpack.unpackb(reply)["accepted"], 1)
        d.stop()

    def test_a_json_sender_gets_json(self):
        d = self.daemon(CONFIG)
        req = d.socket(zmq.REQ, "router")
        req.send(b' {"type":"call","rep":"ana","time":"2020-01-01T00:00:00Z"}')
        self.assertEqual(json.loads(req.recv())["errors"], [{"index": 0, "reason": "too_late"}])
        d.stop()

    def test_every_reason_of_rejection_is_told_and_counted(self):
        d = self.daemon(CONFIG.replace("levels:", "unknown: reject\n  levels:") + "limits: {message: 64KiB, batch: 100, fields: 16}\n")
        req = d.socket(zmq.REQ, "router")
        cases = {
            "malformed": [b"\xc1", b"{\"type\":", msgpack.packb({"type": "call"})[:-1], msgpack.packb({"type": "call"}) + b"x"],
            "not_a_map": [msgpack.packb(5), msgpack.packb("call"), msgpack.packb([[1]]), b"[7]"],
            "no_type": [msgpack.packb({"rep": "ana"}), msgpack.packb({"type": None}), b"{}"],
            "bad_time": [msgpack.packb({"type": "call", "time": "soon"}), msgpack.packb({"type": "call", "time": -1})],
            "bad_field": [msgpack.packb({"type": 5}), msgpack.packb({"type": "call", "rep": "x" * 129}),
                          msgpack.packb({"type": "call", "automated": 1})],
            "future": [msgpack.packb({"type": "call", "rep": "ana", "time": now_ms() + 3600000})],
            "too_late": [msgpack.packb({"type": "call", "rep": "ana", "time": now_ms() - 7200000})],
            "unknown_rep": [msgpack.packb({"type": "call", "rep": "nobody"})],
            "too_large": [msgpack.packb({"type": "call", "x": "y" * 70000})],
            "limit": [msgpack.packb({str(i): i for i in range(17)}), msgpack.packb([{"type": "call"}] * 101)],
        }
        for reason, messages in cases.items():
            for message in messages:
                req.send(message)
                reply = req.recv()
                reply = json.loads(reply) if reply[:1] == b"{" else msgpack.unpackb(reply)
                self.assertEqual([e["reason"] for e in reply["errors"]], [reason], message[:40])
            self.assertEqual(d.rejected(reason), len(messages))
        self.assertEqual(d.metrics()["kpid_events_accepted_total"], 0)
        d.stop()

    def test_the_hostile_list_harms_nobody_else(self):
        d = self.daemon(CONFIG)
        good = {"type": "call", "rep": "ana"}
        req = d.socket(zmq.REQ, "router")

        def send(payload):
            req.send(payload)
            reply = req.recv()
            return json.loads(reply) if reply[:1] == b"{" else msgpack.unpackb(reply)

        draw = random.Random(1)
        for _ in range(200):
            send(bytes(draw.randrange(256) for _ in range(draw.randrange(1, 200))))
        before = d.metrics()["kpid_events_accepted_total"]
        batch = [good] * 99
        batch.insert(42, {"type": "call", "time": "never"})
        reply = send(msgpack.packb(batch))
        self.assertEqual((reply["accepted"], reply["errors"]), (99, [{"index": 42, "reason": "bad_time"}]))
        self.assertEqual(send(msgpack.packb({"type": "call", "x": "y" * (2 << 20)}))["errors"][0]["reason"], "too_large")
        self.assertEqual(send(msgpack.packb({str(i): i for i in range(10000)}))["errors"][0]["reason"], "limit")
        self.assertEqual(send(msgpack.packb({"type": "call", "time": 253402300799000}))["errors"][0]["reason"], "future")
        self.assertEqual(send(msgpack.packb({"type": "stage", "stage": "won", "rep": "ana", "amount": math.nan}))["accepted"], 1)
        self.assertEqual(d.metrics()['kpid_field_missing_total{kpi="sales"}'], 1)
        self.assertEqual(d.metrics()["kpid_events_accepted_total"], before + 100)
        self.assertEqual(d.value("rep", "ana", "calls", "1h"), 99)
        self.assertIn("event=rejected reason=malformed", d.stop())

    def test_a_duplicate_is_counted_once(self):
        d = self.daemon(CONFIG)
        event = {"id": "1", "source": "a", "type": "call", "rep": "ana"}
        self.assertEqual(d.send(event, event)["duplicates"], 1)
        self.assertEqual(d.send(event)["duplicates"], 1)
        self.assertEqual(d.send({**event, "source": "b"})["accepted"], 1)
        self.assertEqual(d.value("rep", "ana", "calls", "1h"), 2)
        d.stop()

    def test_a_sub_that_connects(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        pub = context.socket(zmq.XPUB)
        port = pub.bind_to_random_port("tcp://127.0.0.1")
        pub.setsockopt(zmq.RCVTIMEO, 20000)
        d = self.daemon(CONFIG, extra_ingest=f'  - {{sub: "tcp://127.0.0.1:{port}"}}\n')
        self.assertEqual(pub.recv(), b"\x01")
        pub.send(msgpack.packb({"type": "call", "rep": "ana"}))
        pub.send_multipart([b"call", b'{"rep":"ana"}'])
        until(lambda: d.value("rep", "ana", "calls", "1h") == 2, "the calls")
        d.stop()

    def test_time_is_taken_in_every_form(self):
        d = self.daemon(CONFIG)
        at = now_ms() - 1000
        stamp = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc)
        berlin = stamp.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
        for time in (at, msgpack.Timestamp.from_unix_nano(at * 1000000), msgpack.Timestamp(at // 1000)):
            self.assertEqual(d.send({"type": "call", "rep": "ana", "time": time})["accepted"], 1, time)
        req = d.socket(zmq.REQ, "router")
        for time in (at, stamp.isoformat(), berlin.isoformat(), stamp.strftime("%Y-%m-%dT%H:%M:%SZ")):
            req.send(json.dumps({"type": "call", "rep": "ana", "time": time}).encode())
            self.assertEqual(json.loads(req.recv())["accepted"], 1, time)
        self.assertEqual(d.value("rep", "ana", "calls", "1h"), 7)
        d.stop()

    def test_gaps_in_seq_are_of_best_effort_sockets_alone(self):
        d = self.daemon(CONFIG)
        for seq in (1, 5):
            d.send({"type": "call", "rep": "ana", "source": "crm", "seq": seq})
        pub = d.socket(zmq.XPUB, "sub")
        for _ in range(2):
            pub.recv()
        for source, seqs in {"a": (7, 8, 9), "b": (1, 3, 2, 4), "c\"": (1, 1, 100), "d": (5000, 7, 8)}.items():
            for seq in seqs:
                pub.send_multipart([b"call", msgpack.packb({"source": source, "seq": seq})])
        for event in ({"seq": 1}, {"seq": 2, "time": "never"}, {"seq": 3}):     # the second was refused, not lost
            pub.send_multipart([b"call", msgpack.packb({"source": "e", **event})])
        until(lambda: d.metrics()["kpid_events_accepted_total"] == 17)
        gaps = {name: missed for name, missed in d.metrics().items() if name.startswith("kpid_source_gaps_total")}
        self.assertEqual(gaps['kpid_source_gaps_total{source="c\\x22"}'], 98)
        self.assertNotIn('kpid_source_gaps_total{source="a"}', gaps)
        self.assertNotIn('kpid_source_gaps_total{source="crm"}', gaps)
        self.assertEqual(gaps['kpid_source_gaps_total{source="b"}'], 1)
        for source in "de":
            self.assertNotIn(f'kpid_source_gaps_total{{source="{source}"}}', gaps)
        d.stop()

    def test_too_many_frames_are_counted_and_harm_nobody(self):
        d = self.daemon(CONFIG)
        event = msgpack.packb({"type": "call", "rep": "ana"})
        push = d.socket(zmq.PUSH, "pull")
        push.send_multipart([b"call", event, event])
        push.send(b"")
        push.send_multipart([b"", event])
        dealer = d.socket(zmq.DEALER, "router")
        dealer.send_multipart([b"x"] * 40 + [event])        # an envelope that no client has; it gets no answer
        dealer.send_multipart([b"y"] * 10 + [event])
        self.assertEqual(dealer.recv_multipart()[:-1], [b"y"] * 10)
        until(lambda: d.value("rep", "ana", "calls", "1h") == 2)
        self.assertEqual(d.rejected("malformed"), 3)
        d.stop()

    def test_a_message_beyond_all_bounds_ends_its_connection_alone(self):
        d = self.daemon(CONFIG + "limits: {message: 64KiB}\n")
        push, other = d.socket(zmq.PUSH, "pull"), d.socket(zmq.PUSH, "pull")
        push.send(msgpack.packb({"type": "call", "rep": "ana", "x": "y" * 1000000}))
        other.send(msgpack.packb({"type": "call", "rep": "ana"}))
        until(lambda: d.value("rep", "ana", "calls", "1h") == 1)
        push.send(msgpack.packb({"type": "call", "rep": "ana"}))        # libzmq has connected again
        until(lambda: d.value("rep", "ana", "calls", "1h") == 2)
        d.stop()

    def test_of_many_errors_a_hundred_are_told_and_all_counted(self):
        d = self.daemon(CONFIG)
        reply = d.send(*[{"rep": "ana"}] * 500, {"type": "call"})
        self.assertEqual((reply["accepted"], reply["rejected"], len(reply["errors"])), (1, 500, 100))
        self.assertEqual(d.rejected("no_type"), 500)
        d.stop()

    def test_a_sender_that_reads_no_replies_delays_nobody(self):
        d = self.daemon(CONFIG)
        deaf = d.socket(zmq.DEALER, "router", RCVHWM=1, RCVBUF=4096)
        event = msgpack.packb({"type": "call", "rep": "ana"})
        sent = 0

        def dropped():
            nonlocal sent
            for _ in range(2000):
                deaf.send(event)
            sent += 2000
            self.assertEqual(d.send({"type": "call", "rep": "ana"})["accepted"], 1)
            sent += 1
            return d.metrics()["kpid_replies_dropped_total"]
        until(dropped, "a dropped reply")
        until(lambda: d.metrics()["kpid_events_accepted_total"] == sent, "all events")
        d.stop()


main()
