"""Which creation templates a policy comes to, beside those that somebody else made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ecr_warden.domain.languages import TooEntangledError
from ecr_warden.domain.policy import Mode, Policy, Rule
from ecr_warden.domain.resolution import Decided
from ecr_warden.domain.settings.native import (
    CREATION_TEMPLATE,
    KeptSetting,
    NativeChange,
    NativePlan,
    NotNative,
    reference,
)
from ecr_warden.domain.settings.plans import Kept, Put, Violation
from ecr_warden.domain.settings.template_regions import (
    Divided,
    Regions,
    covering,
    template_prefixes,
)
from ecr_warden.domain.settings.templates import (
    PLAIN_ENCRYPTION,
    TEMPLATE_SECTIONS,
    CreationTemplate,
    begun_from,
    fixed_tags,
    plan_template,
    takes_over_from,
    template_json,
)

DESCRIPTION: Final = "Made by ECR Warden, as its policy says"
_NO_ROLE: Final = (
    "ECR needs a role to {}, which a template has none for: create one that ECR can assume, and give it with "
    "--role-arn"
)


@dataclass(frozen=True)
class _Judged:
    """What the policy decides alike for all names of a prefix, and what it does not."""

    decided: Mapping[str, Decided]
    not_native: tuple[NotNative, ...]


def plan_templates(
    policy: Policy, existing: Iterable[CreationTemplate], *, role_arn: str | None
) -> NativePlan:
    """Compare a registry's creation templates with the policy; those of other prefixes stay as they are."""
    return _Templates(policy, {each.prefix: each for each in existing}, role_arn).plan()


class _Templates:
    def __init__(
        self, policy: Policy, existing: Mapping[str, CreationTemplate], role_arn: str | None
    ) -> None:
        self._policy = policy
        self._existing = existing
        self._role_arn = role_arn
        self._prefixes = template_prefixes(policy)
        self._regions = Regions(policy, [*self._prefixes, *existing])
        self._judged: dict[str, _Judged] = {}
        self._live = self._judge()

    def plan(self) -> NativePlan:
        """Give what is to be done about each prefix that has anything native."""
        changes: list[NativeChange] = []
        kept: list[KeptSetting] = []
        not_native = [each for judged in self._judged.values() for each in judged.not_native]
        for prefix in self._live:
            change, stays, refused = self._planned(prefix)
            changes += [change] if change is not None else []
            kept += stays
            not_native += refused
        return NativePlan(tuple(changes), tuple(kept), tuple(not_native))

    def _judge(self) -> list[str]:
        """Judge every prefix, and give those that have anything native.

        One that has nothing gets no template, so that a wider one takes its names too and is judged again.
        As names only ever become more, what is not native stays so, and this comes to an end.
        """
        live = self._prefixes
        while True:
            taken = [*live, *(each.prefix for each in self._existing.values() if each.is_for_all)]
            self._judged |= {prefix: self._judge_one(prefix, taken) for prefix in live}
            left = [prefix for prefix in live if self._judged[prefix].decided]
            if left == live:
                return live
            live = left

    def _judge_one(self, prefix: str, taken: list[str]) -> _Judged:
        decided: dict[str, Decided] = {}
        not_native: list[NotNative] = []
        for section in TEMPLATE_SECTIONS:
            found = self._decided(prefix, section, taken)
            if isinstance(found, NotNative):
                not_native.append(found)
            elif found is not None:
                decided[section] = found
        return _Judged(decided, tuple(not_native))

    def _decided(self, prefix: str, section: str, taken: list[str]) -> Decided | NotNative | None:
        try:
            found = self._regions.decide(prefix, section, taken)
        except TooEntangledError:
            return self._entangled(prefix, section)
        rule = found.rule if isinstance(found, Divided) else found
        if rule is None or self._policy.mode_of(rule) is Mode.AUDIT:
            # What is in audit mode is said of the rule, once.
            return None
        where = reference(self._policy, rule, section)
        if isinstance(found, Divided):
            return NotNative(where, (section,), _divided(found, section), prefix)
        if (lack := self._lack_of_role(prefix, section, rule)) is not None:
            # Of every prefix the same, and so said once.
            return NotNative(where, (section,), _NO_ROLE.format(lack))
        if section == "resource_tags" and not fixed_tags(
            rule.resource_tags.set if rule.resource_tags else ()
        ):
            return None
        return Decided(section, getattr(rule, section), Mode.ENFORCE, rule.override, where)

    def _entangled(self, prefix: str, section: str) -> NotNative | None:
        having = [rule for rule in self._policy.rules if getattr(rule, section) is not None]
        rule = covering(having, prefix)
        if rule is None or self._policy.mode_of(rule) is Mode.AUDIT:
            return None
        reason = (
            "the policy's globs are too entangled to tell whether it decides alike for every repository: "
            "write them with fewer * and ?"
        )
        return NotNative(reference(self._policy, rule, section), (section,), reason, prefix)

    def _lack_of_role(self, prefix: str, section: str, rule: Rule) -> str | None:
        """Say what of a section needs a role, if the template would have none."""
        if self._role_arn is not None or self._start(prefix).custom_role_arn is not None:
            return None
        if section == "resource_tags" and rule.resource_tags and fixed_tags(rule.resource_tags.set):
            return "set resource tags"
        if section == "encryption" and rule.encryption and rule.encryption.type != PLAIN_ENCRYPTION:
            return f"encrypt with {rule.encryption.type}"
        return None

    def _wider(self, prefix: str) -> CreationTemplate | None:
        """Give the template that a prefix's repositories have now, where there is none of the prefix."""
        nearest = takes_over_from(prefix, self._existing)
        return self._existing[nearest[0]] if nearest else None

    def _start(self, prefix: str) -> CreationTemplate:
        """Give the template that is there, or what a new one begins with.

        ECR takes one template whole: a new one in place of a wider one that somebody made would take from
        the repositories what they would have had from it, their encryption for good. So it begins as that.
        """
        if prefix in self._existing:
            return self._existing[prefix]
        wider = self._wider(prefix)
        new = CreationTemplate(prefix, description=DESCRIPTION)
        if wider is None:
            return new
        own = self._judged[wider.prefix].decided if wider.prefix in self._judged else {}
        return begun_from(new, wider, own)

    def _planned(self, prefix: str) -> tuple[NativeChange | None, list[KeptSetting], list[NotNative]]:
        """Give what is to be written of a template, what stays, and what it cannot take."""
        before, start = self._existing.get(prefix), self._start(prefix)
        decided = self._judged[prefix].decided
        planned = plan_template(start, decided, role_arn=self._role_arn)
        wider = self._wider(prefix) if before is None else None
        kept, refused, written = [], [], []
        for one, plan in planned.plans:
            match plan:
                case Put():
                    written.append(one)
                case Kept(reason):
                    said = f"{reason} ({wider.prefix}'s, which is theirs now)" if wider else reason
                    kept.append(KeptSetting(CREATION_TEMPLATE, prefix, one.section, said, one.rule))
                case Violation(reason, next_step):
                    refused.append(NotNative(one.rule, (one.section,), f"{reason}. {next_step}", prefix))
        if planned.after == before or (before is None and not written and not self._must_shadow(prefix)):
            return None, kept, refused
        rule = (written or list(decided.values()))[0].rule
        change = NativeChange(
            CREATION_TEMPLATE,
            prefix,
            None if before is None else template_json(before),
            template_json(planned.after),
            rule,
            planned.after,
            wider.prefix if wider else None,
        )
        return change, kept, refused

    def _must_shadow(self, prefix: str) -> bool:
        """Tell whether a wider template of the policy's would take a prefix's names if it had none."""
        for wider in takes_over_from(prefix, {*self._live, *self._existing}):
            if wider in self._live:
                return True
            if self._existing[wider].is_for_all:
                return False
        return False


def _divided(divided: Divided, section: str) -> str:
    if divided.deciding is not None:
        line = getattr(divided.deciding, section).line
        why = f"for which line {line} decides"
    else:
        why = f"for which no rule has {section}"
    return f"the template would be for {divided.example} too, {why}"
