"""Versions of registered models and the aliases that point to them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import mlflow
from mlflow.models import get_model_info
from mlflow.tracking import MlflowClient

from recsparse.errors import InputError, MissingFileError, StoreError
from recsparse.tracking.contact import first_contact, one_process, ping, store_in_use
from recsparse.tracking.root_cause import root_cause
from recsparse.tracking.store import require_store, store_file, without_password
from recsparse.tracking.tracked import run_without_model

_MODELS = "models:/"
# MLflow's rules for aliases, which it tells only once a version is registered.
_ALIAS, _RESERVED = re.compile(r"[\w-]{1,255}"), re.compile(r"latest|v\d+", re.IGNORECASE)


@dataclass(frozen=True)
class LoggedModel:
    """A model that a store holds.

    Attributes:
        address: `models:/m-…`, or that of its run where the store is of an older MLflow.
        run_id: The run that logged it; None where it is not known.
        version: Its version under the name that was asked for; None where it has none.
    """

    address: str
    run_id: str | None
    version: str | None


def alias_of(address: str) -> tuple[str, str]:
    """Return the name and the alias in an address.

    Args:
        address: `models:/<name>@<alias>`.

    Returns:
        The name and the alias.

    Raises:
        InputError: If it is another address, or MLflow would take no such name or alias.

    Example:
        >>> alias_of("models:/my_model@champion")
        ('my_model', 'champion')
    """
    name, _, alias = address.removeprefix(_MODELS).rpartition("@")
    if not address.startswith(_MODELS) or not name or not alias or "/" in name + alias:
        raise InputError(
            f"the model to promote over must be named by its alias, as models:/NAME@champion, but "
            f"is {address}"
        )
    if ":" in name or not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise InputError(
            "a registered model's name must be without / and :, and its alias of up to 255 "
            "letters, digits, _ and -, but neither latest nor like a version, as v1; but got "
            f"{address}; choose others"
        )
    return name, alias


class Registry:
    """The registry of a store, of which one name and one alias are looked at.

    Args:
        uri: The store.
        name: Name of the registered model.
        alias: The alias.
    """

    def __init__(self, uri: str, name: str, alias: str) -> None:
        self.uri, self.name, self.alias = uri, name, alias

    def champion(self) -> str | None:
        """Return the version that the alias points to.

        Returns:
            Its number; None where nothing has the name, or no version the alias.

        Raises:
            MissingFileError: If there is no such store.
            StoreError: If the store cannot be reached.
        """
        require_store(self.uri)
        with store_in_use(self.uri):
            return first_contact(self.uri, self._champion)

    def logged(self, address: str) -> LoggedModel:
        """Look a model up.

        Args:
            address: `runs:/<run>/model`, `models:/<name>@<alias>` and the like.

        Returns:
            What the store knows of it.

        Raises:
            MissingFileError: If the store has no such model.
            StoreError: If the store cannot be reached.
        """
        require_store(self.uri)
        with store_in_use(self.uri):
            first_contact(self.uri, ping)
            try:
                about = get_model_info(address)
            except (mlflow.MlflowException, OSError) as error:
                raise run_without_model(address) or MissingFileError(
                    f"{address} must be a model in the MLflow store {without_password(self.uri)}, "
                    f"but {root_cause(error)}; set MLFLOW_TRACKING_URI to the right store"
                ) from error
            named = address if about.model_id is None else f"{_MODELS}{about.model_id}"
            return LoggedModel(named, about.run_id, self._version(address, named, about.run_id))

    def logged_by(self, run_id: str) -> LoggedModel:
        """Look up the model of a run, the last one where it logged several.

        Args:
            run_id: The run.

        Returns:
            The model.

        Raises:
            InputError: If the store does not know the run, or the run has no model.
        """
        require_store(self.uri)
        with store_in_use(self.uri):
            first_contact(self.uri, ping)
            shown = without_password(self.uri)
            try:
                outputs = MlflowClient().get_run(run_id).outputs
            except mlflow.MlflowException as error:
                raise InputError(
                    f"the model must be logged in the MLflow store {shown}, but its run {run_id} "
                    f"is not there: {root_cause(error)}; set MLFLOW_TRACKING_URI to the store "
                    "that it was trained with"
                ) from error
            models = outputs.model_outputs if outputs is not None else []
            if not models:
                raise InputError(
                    f"the run {run_id} in {shown} must have logged a model, but has none; send "
                    "what was kept with `recsparse runs FOLDER --send`, or train it again"
                )
            address = f"{_MODELS}{models[-1].model_id}"
            return LoggedModel(address, run_id, self._version(address, address, run_id))

    def register(self, model: LoggedModel) -> str:
        """Register a model under the name.

        Args:
            model: A model without a version of the name.

        Returns:
            The number of its version.
        """
        with self._alone():
            return str(mlflow.register_model(model.address, self.name).version)

    def move_alias(self, expected: str | None, version: str) -> str | None:
        """Let the alias point to another version, unless somebody else has moved it meanwhile.

        In a local file no one can come between. MLflow's servers have no such step: there, two who
        ask within the same moment may both believe that they moved it, and the later one did.

        Args:
            expected: The version that it must point to; None for none.
            version: The version that it is to point to.

        Returns:
            Where it points to afterwards.
        """
        with self._alone():
            found = self._champion()
            if found == expected:
                MlflowClient().set_registered_model_alias(self.name, self.alias, version)
                found = self._champion()
            return found

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version.

        Args:
            version: Its number.
            tags: Names and values.
        """
        with self._alone():
            for name, value in tags.items():
                MlflowClient().set_model_version_tag(self.name, version, name, value)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Use the store while no other process of this machine changes its file.
        file = store_file(self.uri)
        try:
            with store_in_use(self.uri), nullcontext() if file is None else one_process(file):
                yield
        except mlflow.MlflowException as error:
            raise StoreError(
                f"the MLflow store {without_password(self.uri)} must take what is recorded of "
                f"{self.name}, but {root_cause(error)}; start the same command again"
            ) from error

    def _champion(self) -> str | None:
        try:
            found = MlflowClient().get_registered_model(self.name)
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        version = found.aliases.get(self.alias)
        return None if version is None else str(version)

    def _version(self, address: str, named: str, run_id: str | None) -> str | None:
        if run_id is None:
            return None
        found = MlflowClient().search_model_versions(f"run_id='{run_id}'")
        ours = [
            int(each.version)
            for each in found
            if each.name == self.name
            and (f"{_MODELS}{each.model_id}" == named or each.source in (named, address))
        ]
        asked = address.removeprefix(f"{_MODELS}{self.name}/")
        if asked.isdigit() and int(asked) in ours:
            return asked
        return str(max(ours)) if ours else None
