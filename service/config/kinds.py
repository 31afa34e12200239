"""Kinds as types: the table of a role's kinds, for pydantic a discriminated union, and what all kinds share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from medner.core.plugins import PLUGIN, is_plugin
from medner.core.validation import TAG, StrictModel, meant

Settings = TypeVar("Settings", bound="KindSettings")


class KindTable(Generic[Settings]):
    """The kinds of a role, each with its settings. As a field's metadata it is the union of them.

    ``base`` gives the class that all settings have as their base, ``rows`` the settings by kind, both when they are
    first needed. ``key`` is the key that holds the kind, ``usual`` the kind where that key is left out. ``written``
    are the keys that medner 0.1.0 wrote of every kind, with their defaults: a table that has all of them is read
    without those that its kind does not take. ``renamed`` are keys that 0.1.0 had, with their names now.
    """

    def __init__(
        self,
        base: Callable[[], type[Settings]],
        rows: Callable[[], Mapping[str, type[Settings]]],
        *,
        key: str = "kind",
        usual: str | None = None,
        written: Mapping[str, Any],
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self._base = base
        self._rows = rows
        self.key = key
        self.usual = usual
        self._written = written
        self.renamed = renamed or {}

    @cached_property
    def base(self) -> type[Settings]:
        """The class that the settings of all kinds have as their base."""
        return self._base()

    @cached_property
    def rows(self) -> Mapping[str, type[Settings]]:
        """The settings of each kind."""
        return self._rows()

    @property
    def names(self) -> list[str]:
        """The kinds, as configurations name them."""
        return [f"{PLUGIN}:NAME" if kind == PLUGIN else kind for kind in self.rows]

    @property
    def with_adapter(self) -> list[str]:
        """The kinds that take an adapter's folder, so that a card may name them."""
        return [kind for kind, row in self.rows.items() if "adapter" in row.model_fields]

    def row(self, kind: object) -> type[Settings] | None:
        """The settings of a kind; None where there is none of the name."""
        if not isinstance(kind, str):
            return None
        return self.rows.get(PLUGIN if is_plugin(kind) else kind)

    def read(self, data: object) -> Settings:
        """The settings of plain data. ValidationError where they do not fit."""
        return self._adapter.validate_python(data)

    def with_own_keys(self, settings: type[KindSettings], data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data of a kind, without what 0.1.0 wrote of others. ValueError for a key that the kind does not take."""
        own, written = settings.model_fields, self.with_new_names(self._written)
        data = self.with_new_names(data)
        if data.keys() >= written.keys():
            unused = {key for key, usual in written.items() if key not in own and _is(data[key], usual)}
            data = {key: value for key, value in data.items() if key not in unused | settings.meaningless}
        for key in data:
            if key in own:
                continue
            if takers := [kind for kind, row in self.rows.items() if key in row.model_fields]:
                kind = data.get(self.key, self.usual)
                raise ValueError(f"{key}: only {', '.join(takers)} takes this, {kind} does not; leave it out")
            raise ValueError(f"{key}: unknown key{meant(key, own)}")
        for key, reason in settings.needed.items():
            if not data.get(key):
                raise ValueError(f"{key}: {reason}")
        return data

    def with_new_names(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data with the names that keys have now. ValueError where a key is there under both."""
        for old, new in self.renamed.items():
            if old in data and new in data:
                raise ValueError(f"{old}: is called {new} now, and {new} is there too; leave {old} out")
        return {self.renamed.get(key, key): value for key, value in data.items()}

    def in_full(self, settings: Settings, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts of settings with the keys of all kinds, as 0.1.0 had them, so that hashes of them stay the same."""
        before = {new: old for old, new in self.renamed.items()}
        facts = {before.get(key, key): value for key, value in facts.items()}
        full = {key: facts.get(key, usual) for key, usual in {**self._written, **settings.written_as}.items()}
        return full | {key: value for key, value in facts.items() if key not in full and value is not None}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The union, told apart by the kind."""
        parts = {TAG + row.__name__: handler.generate_schema(row) for row in self.rows.values()}
        union = core_schema.tagged_union_schema(dict(parts), discriminator=self._tag)
        return core_schema.no_info_before_validator_function(self._with_kind, union)

    @cached_property
    def _adapter(self) -> TypeAdapter[Settings]:
        union: Any = Annotated[self.base, self]
        return TypeAdapter(union)

    def _with_kind(self, data: object) -> object:
        """The data with its kind. ValueError where there is none of the name."""
        if not isinstance(data, Mapping):
            return data
        kind = data.get(self.key, self.usual)
        if kind is None:
            raise ValueError(f"{self.key}: is missing; there are {', '.join(self.names)}")
        if self.row(kind) is None:
            raise ValueError(f"{self.key}: there is no {kind!r}{meant(str(kind), self.names)}")
        return {self.key: kind, **data}

    def _tag(self, data: object) -> str:
        row = self.row(data.get(self.key, self.usual)) if isinstance(data, Mapping) else type(data)
        return TAG + getattr(row, "__name__", "")


def _is(value: object, usual: object) -> bool:
    return value == usual or (isinstance(usual, tuple) and value == list(usual))


class KindSettings(StrictModel):
    """The settings of one kind of a role; the base of a role stands for any of its kinds."""

    # Later: a union's parts name the union itself (a judge's fallback).
    model_config = ConfigDict(defer_build=True)
    table: ClassVar[KindTable[Any]]
    #: Keys that the kind cannot do without, each with what it is needed for.
    needed: ClassVar[Mapping[str, str]] = {}
    #: Keys of other kinds that 0.1.0 wrote and did not look at, whatever their value.
    meaningless: ClassVar[frozenset[str]] = frozenset()
    #: What 0.1.0 wrote for this kind under keys that it does not have, where that is not the key's default.
    written_as: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def with_known_keys(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The data with the keys of this kind only. ValueError for another key."""
        return cls.table.with_own_keys(cls, data)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """The settings of plain data; those of its kind where the class stands for any."""
        return cls.table.read(obj) if cls is cls.table.base else super().model_validate(obj, **options)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema; it asks for the kind, which tells the kinds apart, unless it is that of a table without one."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema)
        if cls.table.row(cls.table.usual) is not cls:
            required = properties.get("required", [])
            properties["required"] = list(dict.fromkeys([cls.table.key, *required]))
        return schema
