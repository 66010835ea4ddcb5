"""Published schemas of what is rendered: Kubernetes' own, and those of Istio's custom resources. A field that they do not know is refused.

Kubernetes' come with the package kubernetes-validate, which makes them from the API's own description. Istio's come from its custom
resource definitions by way of the package cloudcoil.models.istio, whose version is Istio's.
"""

import functools
import importlib

import jsonschema_rs
import kubernetes_validate

KUBERNETES = "1.37"
ISTIO = {
    "networking.istio.io/v1": "cloudcoil.models.istio.networking.v1",
    "networking.istio.io/v1alpha3": "cloudcoil.models.istio.networking.v1alpha3",
    "extensions.istio.io/v1alpha1": "cloudcoil.models.istio.extensions.v1alpha1",
}


def complaint(document: dict) -> str | None:
    """What is wrong with a document; nothing if it is right."""
    try:
        if module := ISTIO.get(document["apiVersion"]):
            _istio(module, document["kind"]).validate(document)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except (jsonschema_rs.ValidationError, kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return str(error)
    return None


@functools.cache
def _istio(module: str, kind: str) -> jsonschema_rs.Draft202012Validator:
    schema = getattr(importlib.import_module(module), kind).model_json_schema()
    _close(schema)
    for definition in schema["$defs"].values():
        _close(definition)
    return jsonschema_rs.Draft202012Validator(schema)


def _close(schema: dict) -> None:
    """The API server drops fields that it does not know, or refuses them if asked to. So does this."""
    if "properties" in schema:
        schema["additionalProperties"] = False
