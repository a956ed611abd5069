"""R-B4: the results of a batch share calls to SQS; none waits for others, and each learns of its own failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ai_jobs.aws import batch_sender, clients, queues
from ai_jobs.aws.batch_sender import BatchSender
from ai_jobs.contract.errors import AWSError

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/responses"


class SQS:
    """SQS with calls that can be held, and with refusals; it remembers the calls, each as a list of entries."""

    def __init__(self):
        self.calls, self.alone = [], []
        self.refused, self.error = set(), None
        self.free, self.entered = threading.Event(), threading.Semaphore(0)
        self.free.set()

    def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
        self.calls.append(Entries)
        self.entered.release()
        self.free.wait(10)
        if self.error:
            raise self.error
        bodies = {entry["Id"]: entry["MessageBody"] for entry in Entries}
        return {
            "Successful": [
                {"Id": number, "MessageId": f"id of {body}"}
                for number, body in bodies.items()
                if body not in self.refused
            ],
            "Failed": [
                {"Id": number, "Code": "InternalError", "SenderFault": False}
                for number, body in bodies.items()
                if body in self.refused
            ],
        }

    def send_message(self, QueueUrl, **message):  # noqa: N803
        self.alone.append(message)
        if message["MessageBody"] == "never":
            raise refusal("InternalError")
        return {"MessageId": f"id of {message['MessageBody']}, alone"}

    def bodies(self):
        return [[entry["MessageBody"] for entry in call] for call in self.calls]

    @contextmanager
    def one_call_held(self, sender, pool):
        """The call of a first message stays in flight for as long as the block runs."""
        self.free.clear()
        first = pool.submit(sender.send, "first", {})
        assert self.entered.acquire(timeout=10)
        yield first
        self.free.set()


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "on cue"}}, "SendMessageBatch")


@pytest.fixture
def sqs(monkeypatch):
    fake = SQS()
    for module in (batch_sender, queues):
        monkeypatch.setattr(module, "get_sqs_sending_client", lambda: fake)
    return fake


@pytest.fixture
def pool():
    with ThreadPoolExecutor(40) as threads:
        yield threads


@pytest.fixture
def patient(monkeypatch):
    """However slow this machine is, no thread starts a call because another one takes long."""
    monkeypatch.setattr(batch_sender, "_PATIENCE_SECONDS", 60)


def waiting(sender, pool, bodies):
    """Threads that send these, in this order, while a call is in flight."""
    sent = []
    for number, body in enumerate(bodies, 1):
        sent.append(pool.submit(sender.send, body, {}))
        while len(sender._waiting) < number:
            assert not sent[-1].done()
    return sent


def test_a_message_that_is_alone_goes_at_once(sqs):  # R-B4
    assert BatchSender(QUEUE).send("hello", {"JobId": "j"}, "user-1", "Root=1-a") == "id of hello"
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-a"}}
    (entry,) = sqs.calls[0]
    assert entry == {
        "Id": "0",
        "MessageBody": "hello",
        "MessageAttributes": {"JobId": {"DataType": "String", "StringValue": "j"}},
        "MessageGroupId": "user-1",
        "MessageSystemAttributes": trace,
    }


@pytest.mark.usefixtures("patient")
def test_what_comes_while_a_call_is_in_flight_goes_together_in_order(sqs, pool):  # R-B4
    sender, bodies = BatchSender(QUEUE), [f"message {number}" for number in range(12)]
    with sqs.one_call_held(sender, pool) as first:
        sent = waiting(sender, pool, bodies)
        assert not first.done()
    assert first.result(10) == "id of first"
    assert [one.result(10) for one in sent] == [f"id of {body}" for body in bodies]
    assert sqs.bodies() == [["first"], bodies[:10], bodies[10:]]


@pytest.mark.usefixtures("patient")
def test_a_call_has_at_most_as_many_bytes_as_sqs_takes(sqs, pool):
    sender, bodies = BatchSender(QUEUE), [letter * 131_072 for letter in "abc"]
    with sqs.one_call_held(sender, pool):
        sent = waiting(sender, pool, bodies)
    assert [one.result(10)[:7] for one in sent] == ["id of a", "id of b", "id of c"]
    assert [len(call) for call in sqs.calls] == [1, 2, 1]


def test_a_message_that_sqs_never_takes_is_not_sent(sqs):
    with pytest.raises(ValueError, match="SQS accepts at most 262144"):
        BatchSender(QUEUE).send("x" * 262_145, {})
    assert sqs.calls == []


@pytest.mark.usefixtures("patient")
def test_a_message_refused_alone_is_sent_by_itself_and_others_are_not_affected(sqs, pool):
    sender = BatchSender(QUEUE)
    sqs.refused = {"refused", "never"}
    with sqs.one_call_held(sender, pool):
        good, refused, never = waiting(sender, pool, ["good", "refused", "never"])
    assert good.result(10) == "id of good"
    assert refused.result(10) == "id of refused, alone"
    with pytest.raises(AWSError) as caught:
        never.result(10)
    assert caught.value.code == "InternalError"
    assert sorted(message["MessageBody"] for message in sqs.alone) == ["never", "refused"]


@pytest.mark.usefixtures("patient")
def test_the_messages_of_a_call_that_is_throttled_are_sent_one_by_one(sqs, pool):
    sender = BatchSender(QUEUE)
    sqs.error = refusal("RequestThrottled")
    with sqs.one_call_held(sender, pool) as first:
        sent = waiting(sender, pool, ["good", "never"])
    assert [first.result(10), sent[0].result(10)] == ["id of first, alone", "id of good, alone"]
    with pytest.raises(AWSError):
        sent[1].result(10)


@pytest.mark.usefixtures("patient")
def test_each_message_fails_when_sqs_is_not_reached(sqs, pool):
    sender = BatchSender(QUEUE)
    sqs.error = EndpointConnectionError(endpoint_url="x")
    with sqs.one_call_held(sender, pool) as first:
        sent = waiting(sender, pool, ["one", "another"])
    errors = [one.exception(10) for one in (first, *sent)]
    assert [(type(error), error.code) for error in errors] == [(AWSError, "EndpointConnectionError")] * 3
    assert len({id(error) for error in errors}) == 3
    assert sqs.alone == [], "botocore has tried as often as it should"


@pytest.mark.usefixtures("patient")
def test_a_bug_leaves_no_thread_waiting_and_the_next_message_goes(sqs, pool):
    sender = BatchSender(QUEUE)
    sqs.error = KeyError("a bug")
    with sqs.one_call_held(sender, pool) as first:
        sent = waiting(sender, pool, ["one"])
    assert [type(one.exception(10)) for one in (first, *sent)] == [KeyError, KeyError]
    sqs.error = None
    assert sender.send("next", {}) == "id of next"


def test_a_call_that_hangs_does_not_hold_up_what_waits_behind_it(sqs, pool, monkeypatch):
    monkeypatch.setattr(batch_sender, "_PATIENCE_SECONDS", 0.01)
    sender = BatchSender(QUEUE)
    with sqs.one_call_held(sender, pool) as first:
        second = pool.submit(sender.send, "second", {})
        assert sqs.entered.acquire(timeout=10), "another call, while the first one hangs"
        assert not first.done()
    assert (first.result(10), second.result(10)) == ("id of first", "id of second")
    assert sqs.bodies() == [["first"], ["second"]], "each once"


@pytest.mark.usefixtures("patient")
def test_a_call_left_behind_by_an_earlier_invocation_does_not_hold_up_a_later_one(sqs, pool):
    """Each invocation has a sender: that of the earlier one may be frozen in the middle of a call."""
    with sqs.one_call_held(BatchSender(QUEUE), pool) as left_behind:
        later = pool.submit(BatchSender(QUEUE).send, "later", {})
        assert sqs.entered.acquire(timeout=10)
        assert not left_behind.done()
    assert later.result(10) == "id of later"


def test_nothing_is_lost_and_nothing_comes_twice(sqs, pool):
    sender, bodies = BatchSender(QUEUE), [str(number) for number in range(500)]
    assert list(pool.map(lambda body: sender.send(body, {}), bodies)) == [f"id of {body}" for body in bodies]
    assert sorted(body for call in sqs.bodies() for body in call) == sorted(bodies)


def test_the_messages_arrive(aws, messages_in, refusing):  # with the real client
    assert BatchSender(aws.response_queue).send("together", {"JobId": "j"}, "user-1", "Root=1-a;Sampled=1")
    refusing(clients.get_sqs_sending_client(), "SendMessageBatch", "RequestThrottled")
    assert BatchSender(aws.response_queue).send("alone", {"JobId": "j"}, "user-1")
    with pytest.raises(AWSError):
        BatchSender(f"{aws.response_queue}-gone").send("lost", {})
    arrived = {message.body: message for message in messages_in(aws.response_queue)}
    assert set(arrived) == {"together", "alone"}
    assert all(one.attributes == {"JobId": "j"} and one.group_id == "user-1" for one in arrived.values())
