"""What waits in a channel is told there: in order, at the channel's pace, once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import NOW, OUTCOME, FakeChannel
from telling_world import TellingWorld

from ecr_warden.domain.messages import story_of
from ecr_warden.domain.outcomes import OutcomeKind
from ecr_warden.domain.policy import Channel, ChannelType, Policy, Route
from ecr_warden.errors import AwsError, ChannelError

TEAM = Channel("team", 2, ChannelType.SLACK, secret="s", fallback="ops")
OPS = Channel("ops", 1, ChannelType.SNS)


def world(*channels, **fakes):
    channels = channels or (OPS,)
    return TellingWorld(Policy("p", channels=channels, routes=(Route(9, (channels[0].name,)),)), **fakes)


def outcome(number, **others):
    return replace(OUTCOME, id=f"outcome-{number}", **others)


def repositories(count):
    return [outcome(number, repository=f"team/{number}") for number in range(count)]


def down(problem="Slack answered 500"):
    return ChannelError(problem)


def test_a_channel_gets_one_message_a_pause():
    told = world(ops=FakeChannel(pause=1.0))
    for one in repositories(5):
        told.take(one)
    told.run()
    assert len(told.channels["ops"].sent) == 5
    assert told.clock.now() == NOW + timedelta(seconds=60 + 4)


def test_300_new_repositories_of_one_pipeline_are_one_message():
    told = world()
    for one in repositories(300):
        told.clock.pause(1)
        told.take(one)
        told.run(until=told.clock.now())
    told.run()
    (message, _) = told.channels["ops"].sent[0]
    assert len(told.channels["ops"].sent) == 1
    assert message.digest.total == 300
    assert len(message.outcomes) == 5
    assert message.digest.counts == (("Tag quarantined", 300),)
    (said,) = told.said
    assert message.digest.link == f"https://log/{said.digest}"
    assert len(said.outcomes) == 300, "all of them are listed in the log"


def test_a_channel_that_asks_for_a_pause_gets_it():
    told = world(ops=FakeChannel([ChannelError("429", retry_after=120)] * 4))
    told.take(OUTCOME)
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]
    assert told.clock.now() == NOW + timedelta(seconds=60 + 4 * 120)
    assert ("ChannelsDown", {"channel": "ops"}) not in told.metrics.counted


def test_a_channel_that_goes_on_asking_for_pauses_is_down():
    told = world(TEAM, OPS, team=FakeChannel([ChannelError("503", retry_after=60)] * 100))
    told.take(OUTCOME)
    told.run(until=NOW + timedelta(minutes=10))
    assert told.channels["ops"].heard == [OUTCOME.id]


def test_failures_are_tried_again_after_pauses_that_double_up_to_a_quarter_of_an_hour():
    told = world(ops=FakeChannel([down()] * 12))
    told.take(OUTCOME)
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]
    waited = sum(2**n for n in range(1, 10)) + 3 * 900
    assert told.clock.now() == NOW + timedelta(seconds=60 + waited)
    assert told.metrics.counted.count(("ChannelsDown", {"channel": "ops"})) == 1
    assert told.outbox.states["ops"].failures == 0, "it is up again"


def test_what_may_have_been_told_is_told_again_late():
    told = world(ops=FakeChannel([ChannelError("timed out", surely_failed=False)]))
    told.take(OUTCOME)
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]
    assert told.clock.now() >= NOW + timedelta(seconds=120)


def test_a_channel_that_is_down_leaves_its_outcomes_to_another_which_says_so():
    told = world(TEAM, OPS, team=FakeChannel([down()] * 100))
    told.take(OUTCOME)
    told.run(until=NOW + timedelta(minutes=10))
    assert told.channels["team"].heard == []
    (message, _) = told.channels["ops"].sent[0]
    assert message.instead_of == "team, which is down: Slack answered 500"
    tried = 100 - len(told.channels["team"].errors)
    told.take(outcome(2))
    told.run(until=NOW + timedelta(minutes=20))
    assert told.channels["ops"].heard == [OUTCOME.id, "outcome-2"]
    assert 100 - len(told.channels["team"].errors) <= tried + 1, "a channel that is down is hardly knocked at"


def test_a_channel_that_is_up_again_is_told_itself_and_nothing_twice():
    told = world(TEAM, OPS, team=FakeChannel([down()] * 5))
    told.take(OUTCOME)
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]
    told.clock.pause(900)
    told.take(OUTCOME)
    told.take(outcome(2))
    told.run()
    assert told.channels["team"].heard == ["outcome-2"]
    assert told.channels["ops"].heard == [OUTCOME.id]


def test_what_a_channel_refuses_waits_in_the_dead_letters_and_the_others_are_told():
    class Picky(FakeChannel):
        def send(self, message, thread=None):
            if any(one.id == "outcome-3" for one in message.outcomes):
                raise ChannelError("invalid_blocks", is_refused=True)
            return super().send(message, thread)

    told = world(ops=Picky())
    for number in range(6):
        told.take(outcome(number))
    told.run()
    assert sorted(told.channels["ops"].heard) == [f"outcome-{number}" for number in (0, 1, 2, 4, 5)]
    assert told.dead_letters.letters == [("outcome-3", "ops", "invalid_blocks")]
    assert [one.outcomes[0].id for one in told.said if one.is_given_up] == ["outcome-3"]
    told.take(outcome(3))
    told.run()
    assert len(told.dead_letters.letters) == 2, "a redrive tries it anew"


def test_a_digest_that_is_refused_is_told_but_for_the_one():
    class Picky(FakeChannel):
        def send(self, message, thread=None):
            if any(one.id == "outcome-0" for one in message.outcomes):
                raise ChannelError("invalid_blocks", is_refused=True)
            return super().send(message, thread)

    told = world(ops=Picky())
    for one in repositories(100):
        told.take(one)
    told.run()
    totals = [message.digest.total if message.digest else 1 for message, _ in told.channels["ops"].sent]
    assert sum(totals) == 99
    assert len(totals) < 10, "after the one, messages tell of twice as many each time"
    assert [letter[0] for letter in told.dead_letters.letters] == ["outcome-0"]


def test_one_that_cannot_be_put_in_words_does_not_keep_the_others():
    class Broken(FakeChannel):
        def send(self, message, thread=None):
            if message.outcomes[0].id == "outcome-1":
                raise ZeroDivisionError("xoxb-secret")
            return super().send(message, thread)

    told = world(ops=Broken())
    told.take(outcome(1))
    told.take(outcome(2, repository="other"))
    told.run()
    assert told.channels["ops"].heard == ["outcome-2"]
    why = told.dead_letters.letters[0][2]
    assert "ZeroDivisionError in test_deliver.py, line" in why
    assert "xoxb" not in why, "an error's own words may quote a secret"


def test_only_one_tells_in_a_channel_at_a_time():
    told = world()
    told.take(OUTCOME)
    told.outbox.holders["ops"] = ("somebody", NOW + timedelta(hours=1))
    told.run(until=NOW + timedelta(seconds=70))
    assert told.channels["ops"].heard == []
    del told.outbox.holders["ops"]
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]


def test_time_that_is_up_leaves_the_rest_for_the_next_wake_up():
    told = world(ops=FakeChannel(pause=1.0))
    told.policy = replace(told.policy, messages=replace(told.policy.messages, burst=1000))
    for one in repositories(100):
        told.take(one)
    told.run(until=NOW + timedelta(seconds=60))
    assert 30 <= len(told.channels["ops"].sent) <= 41
    told.run()
    assert sorted(told.channels["ops"].heard) == sorted(one.id for one in repositories(100))


def test_how_late_the_oldest_is_is_said_while_a_channel_does_not_take_it():
    told = world(ops=FakeChannel([down()] * 8))
    told.take(OUTCOME)
    told.run()
    late = [value for name, value in told.metrics.times if name == "OverdueSeconds"]
    assert late == sorted(late)
    assert late[-1] > 100


def story(kind, number):
    return outcome(number, kind=kind, image_tag=None)


def test_what_befalls_an_image_later_is_told_in_its_thread():
    told = world(ops=FakeChannel(has_threads=True))
    told.take(story(OutcomeKind.IMAGE_VULNERABLE, 1))
    told.run()
    told.take(story(OutcomeKind.IMAGE_RECOVERED, 2))
    told.run()
    told.take(story(OutcomeKind.IMAGE_VULNERABLE, 3))
    told.take(outcome(4, image_digest="sha256:another"))
    told.run()
    (_, first), (_, second), (message, third) = told.channels["ops"].sent
    assert first is None
    assert [one.id for one in second.root.outcomes] == ["outcome-1"]
    assert second.since == ()
    assert [one.id for one in third.since] == ["outcome-2"]
    assert [one.id for one in message.outcomes] == ["outcome-3", "outcome-4"]
    another = story_of(outcome(4, image_digest="sha256:another"))
    assert told.outbox.thread("ops", [another]).posted == third.posted, "told there, it goes on there"


def test_a_digest_begins_no_thread():
    told = world(ops=FakeChannel(has_threads=True))
    for one in repositories(20):
        told.take(one)
    told.run()
    assert told.outbox.threads == {}


def test_a_table_that_does_not_answer_ends_it_and_gives_the_channel_back():
    told = world()
    told.take(OUTCOME)
    told.outbox.waiting = lambda *_: (_ for _ in ()).throw(AwsError("throttled"))
    with pytest.raises(AwsError):
        told.wake("ops")
    assert told.outbox.holders == {}


def test_what_was_left_to_a_fallback_is_told_there_even_if_nobody_came_to_say_so():
    told = world(TEAM, OPS, team=FakeChannel([down()] * 100))
    move = told.outbox.move

    def move_and_die(*arguments):
        move(*arguments)
        raise AwsError("died")

    told.outbox.move = move_and_die
    told.take(OUTCOME)
    with pytest.raises(AwsError):
        told.run()
    told.outbox.move = move
    told.run()
    assert told.channels["ops"].heard == [OUTCOME.id]


def test_everything_that_is_due_is_left_to_the_fallback_at_once_and_is_few_messages_there():
    siem = Channel("siem", 2, ChannelType.WEBHOOK, secret="s", fallback="ops")
    told = world(siem, OPS, siem=FakeChannel([down()] * 10_000, takes_each=True))
    for one in repositories(3000):
        told.take(one)
    told.run(until=NOW + timedelta(minutes=10))
    assert sum(message.digest.total for message, _ in told.channels["ops"].sent) == 3000
    assert len(told.channels["ops"].sent) <= 4
    assert told.outbox.waits["siem"] == {}


class Poisoned(FakeChannel):
    """A receiver that fails whenever it gets one of some outcomes."""

    def __init__(self, error, *ids, seconds=0, clock=None, **kind):
        super().__init__(**kind)
        self.error, self.ids, self.seconds, self.clock, self.requests = error, ids, seconds, clock, 0

    def send(self, message, thread=None):
        self.requests += 1
        if self.clock is not None:
            self.clock.pause(self.seconds)
        shown = message.outcomes if message.digest is None else self.all_of(message)
        if any(one.id in self.ids for one in shown):
            raise self.error
        return super().send(message, thread)

    def all_of(self, message):
        return message.outcomes


def test_one_that_fails_all_the_time_does_not_block_its_channel_for_ever():
    siem = Channel("siem", 2, ChannelType.WEBHOOK, secret="s")
    told = world(siem, siem=Poisoned(down(), "outcome-0", takes_each=True))
    for one in repositories(4):
        told.take(one)
    told.run(until=NOW + timedelta(hours=2))
    assert told.channels["siem"].heard == ["outcome-1", "outcome-2", "outcome-3"]
    assert told.dead_letters.letters == [], "it may be the channel that is down again"
    told.take(outcome(4, repository="team/4"))
    told.run()
    assert told.channels["siem"].heard[-1] == "outcome-4"
    assert told.dead_letters.letters == [("outcome-0", "siem", "Slack answered 500")]


def test_a_channel_that_was_down_loses_no_outcome_to_the_dead_letters_by_that():
    siem = Channel("siem", 2, ChannelType.WEBHOOK, secret="s")
    told = world(siem, siem=FakeChannel([down()] * 40, takes_each=True))
    for one in repositories(4):
        told.take(one)
    told.run()
    assert sorted(told.channels["siem"].heard) == [one.id for one in repositories(4)]
    assert told.dead_letters.letters == []


def test_what_fails_all_the_time_is_not_overtaken_in_its_own_thread():
    siem = Channel("siem", 2, ChannelType.WEBHOOK, secret="s")
    told = world(siem, siem=Poisoned(down(), "outcome-0", takes_each=True))
    told.take(outcome(0))
    told.take(outcome(1))
    told.run(until=NOW + timedelta(hours=5))
    assert told.channels["siem"].heard == []


def test_a_channel_that_refuses_everything_is_down_after_a_few_dead_letters_and_not_flooded():
    refused = ChannelError("Slack answered 400", is_refused=True)
    told = world(TEAM, OPS, team=FakeChannel([refused] * 1000, pause=1.0))
    for one in repositories(100):
        told.take(one)
    told.run(until=NOW + timedelta(minutes=30))
    assert len(told.dead_letters.letters) == 5
    assert sum(message.digest.total for message, _ in told.channels["ops"].sent) == 95
    requests = 1000 - len(told.channels["team"].errors)
    assert requests < 30
    assert told.clock.now() - NOW >= timedelta(seconds=requests), "at its pace"


def test_the_one_of_many_that_is_refused_is_found_however_slow_the_channel_is():
    told = world()
    refused = ChannelError("invalid_blocks", is_refused=True)
    told.channels["ops"] = slow = Poisoned(refused, "outcome-0", seconds=9, clock=told.clock)
    for one in repositories(1000):
        told.take(one)
    told.run()
    assert [letter[0] for letter in told.dead_letters.letters] == ["outcome-0"]
    assert sum(message.digest.total if message.digest else 1 for message, _ in slow.sent) == 999
    assert slow.requests < 30


def test_two_images_of_a_repository_that_recover_together_are_each_told_in_their_own_thread():
    told = world(ops=FakeChannel(has_threads=True))
    for number, digest in enumerate("ab"):
        told.take(replace(story(OutcomeKind.IMAGE_VULNERABLE, number), image_digest=digest))
        told.run()
    for number, digest in enumerate("ab"):
        told.take(replace(story(OutcomeKind.IMAGE_RECOVERED, 10 + number), image_digest=digest))
    told.run()
    below = [
        (message.outcomes[0].id, thread.root.outcomes[0].id)
        for message, thread in told.channels["ops"].sent[2:]
    ]
    assert below == [("outcome-10", "outcome-0"), ("outcome-11", "outcome-1")]


def test_what_was_told_below_a_message_is_remembered_all_of_it():
    told = world(ops=FakeChannel(has_threads=True))
    for number in range(4):
        told.take(story(OutcomeKind.IMAGE_VULNERABLE, number))
        told.run()
    (_, last) = told.channels["ops"].sent[-1]
    assert [one.id for one in last.since] == ["outcome-1", "outcome-2"]


def test_a_channel_that_cannot_be_built_is_not_held():
    told = world()
    told.ports = replace(told.ports, channel=lambda _: (_ for _ in ()).throw(AwsError("no client")))
    told.take(OUTCOME)
    with pytest.raises(AwsError):
        told.run()
    assert told.outbox.holders == {}


def test_one_half_of_each_pause_is_by_chance():
    told = world(ops=FakeChannel([down()]))
    told.ports = replace(told.ports, jitter=lambda longest: longest / 4)
    told.take(OUTCOME)
    told.run(until=NOW + timedelta(seconds=60))
    assert told.outbox.states["ops"].next_try == NOW + timedelta(seconds=60 + 1 + 0.25)


def test_how_late_a_push_is_told_is_measured():
    told = world()
    told.take(OUTCOME)
    told.run()
    assert ("PushToMessageLatency", 62_000) in told.metrics.times


def test_what_cannot_be_read_is_looked_at_again_and_counts_as_late():
    told = world()
    told.outbox.unread = lambda _channel: NOW - timedelta(minutes=20)
    told.wake("ops")
    assert told.wake_ups.asked == [(NOW + timedelta(minutes=15), "ops")]
    assert ("OverdueSeconds", 1200) in told.metrics.times
