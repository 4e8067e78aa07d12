"""Makes a CycloneDX document of what an image has in it (pure)."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from simops_sbom.contents import Package

SCHEMA = SchemaVersion.V1_6
# Names of documents are made from this and what is in them, so that the same image has the same document.
NAMESPACE = uuid.UUID("6c5d2f5e-6d0e-5a55-9a4e-5b8a3b6f8d10")


def url_of(package: Package) -> PackageURL:
    """Return the package URL: what scanners look a package up by."""
    return PackageURL(package.kind, package.namespace or None, package.name, package.version, dict(package.qualifiers))


def document(image: str, version: str, key: str, made: datetime, packages: Iterable[Package]) -> str:
    """Return the document as JSON.

    Args:
        image: the image's name.
        version: the version of SimOps.
        key: a digest of everything that decides what is in the image.
        made: when it was built.
        packages: what is in it.
    """
    root = Component(type=ComponentType.CONTAINER, name=image, version=version, bom_ref=image)
    bom = Bom(serial_number=uuid.uuid5(NAMESPACE, f"{image}:{key}"))
    bom.metadata.timestamp = made
    bom.metadata.component = root
    licences = LicenseFactory()
    for package in packages:
        url = url_of(package)
        component = Component(
            type=ComponentType.LIBRARY,
            name=package.name,
            group=package.namespace or None,
            version=package.version,
            purl=url,
            bom_ref=url.to_string(),
            licenses=[licences.make_from_string(package.licence)] if package.licence else [],
        )
        bom.components.add(component)
        bom.register_dependency(root, [component])
    return make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2) + "\n"


def problem_with(text: str) -> str | None:
    """Return what CycloneDX' own schema does not take of a document; None: nothing."""
    error = JsonStrictValidator(SCHEMA).validate_str(text)
    return None if error is None else str(error)
