from hypothesis import given
from hypothesis import strategies as st

from ecr_warden.domain.quarantine import MAX_TAG_LENGTH, is_quarantine_tag, quarantine_tag

DIGEST = "sha256:" + "ab" * 32
TAGS = st.text("abcXYZ019._-", min_size=1, max_size=300)


def test_a_quarantine_tag_has_twelve_digits_of_the_digest_and_the_old_tag():
    assert quarantine_tag(DIGEST, "latest") == "quarantine-abababababab-latest"


@given(TAGS)
def test_a_quarantine_tag_can_be_pulled_and_is_recognised(tag):
    name = quarantine_tag(DIGEST, tag)
    assert len(name) <= MAX_TAG_LENGTH
    assert is_quarantine_tag(DIGEST, name)


@given(TAGS, TAGS)
def test_two_tags_of_an_image_never_share_a_quarantine_tag(one, other):
    assert (quarantine_tag(DIGEST, one) == quarantine_tag(DIGEST, other)) == (one == other)


def test_a_tag_that_only_begins_so_is_not_one():
    assert not is_quarantine_tag(DIGEST, "quarantine-latest")


def test_a_tag_of_that_form_that_names_another_digest_is_not_one():
    assert not is_quarantine_tag(DIGEST, "quarantine-cdcdcdcdcdcd-latest")
    assert not is_quarantine_tag("sha256:ab", "quarantine-abcdefabcdef-latest")


def test_a_tag_too_long_to_pull_keeps_its_beginning_and_a_hash_of_it_all():
    name = quarantine_tag(DIGEST, "a" * 128)
    assert len(name) == MAX_TAG_LENGTH
    assert name.startswith("quarantine-abababababab-aaaa")
    assert name != quarantine_tag(DIGEST, "a" * 127 + "b")
