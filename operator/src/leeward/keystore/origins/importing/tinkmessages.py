"""The protocol buffers of Tink's keys (tink-crypto/tink proto/*.proto), described in code.

Just the messages and fields that are read. They stand in a pool of their own, so they meet no other
description of the same messages. Fields that are not described here are left aside, as protocol
buffers ask for; what matters about a key is described.
"""

from typing import Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_PACKAGE: Final = "google.crypto.tink"
_UINT32: Final = FieldDescriptorProto.TYPE_UINT32
_INT32: Final = FieldDescriptorProto.TYPE_INT32
_BYTES: Final = FieldDescriptorProto.TYPE_BYTES

_Field = tuple[str, int, int | str]
_MESSAGES: Final[dict[str, tuple[_Field, ...]]] = {
    "AesGcmKey": (("version", 1, _UINT32), ("key_value", 3, _BYTES)),
    "AesSivKey": (("version", 1, _UINT32), ("key_value", 2, _BYTES)),
    "ChaCha20Poly1305Key": (("version", 1, _UINT32), ("key_value", 2, _BYTES)),
    "HmacParams": (("hash", 1, _INT32), ("tag_size", 2, _UINT32)),
    "HmacKey": (("version", 1, _UINT32), ("params", 2, "HmacParams"), ("key_value", 3, _BYTES)),
    "HpkeParams": (("kem", 1, _INT32), ("kdf", 2, _INT32), ("aead", 3, _INT32)),
    "HpkePublicKey": (
        ("version", 1, _UINT32),
        ("params", 2, "HpkeParams"),
        ("public_key", 3, _BYTES),
    ),
    "HpkePrivateKey": (
        ("version", 1, _UINT32),
        ("public_key", 2, "HpkePublicKey"),
        ("private_key", 3, _BYTES),
    ),
    "Ed25519PublicKey": (("version", 1, _UINT32), ("key_value", 2, _BYTES)),
    "Ed25519PrivateKey": (
        ("version", 1, _UINT32),
        ("key_value", 2, _BYTES),
        ("public_key", 3, "Ed25519PublicKey"),
    ),
    "EcdsaParams": (("hash_type", 1, _INT32), ("curve", 2, _INT32), ("encoding", 3, _INT32)),
    "EcdsaPublicKey": (
        ("version", 1, _UINT32),
        ("params", 2, "EcdsaParams"),
        ("x", 3, _BYTES),
        ("y", 4, _BYTES),
    ),
    "EcdsaPrivateKey": (
        ("version", 1, _UINT32),
        ("public_key", 2, "EcdsaPublicKey"),
        ("key_value", 3, _BYTES),
    ),
    "RsaSsaPssParams": (
        ("sig_hash", 1, _INT32),
        ("mgf1_hash", 2, _INT32),
        ("salt_length", 3, _INT32),
    ),
    "RsaSsaPssPublicKey": (
        ("version", 1, _UINT32),
        ("params", 2, "RsaSsaPssParams"),
        ("n", 3, _BYTES),
        ("e", 4, _BYTES),
    ),
    "RsaSsaPssPrivateKey": (
        ("version", 1, _UINT32),
        ("public_key", 2, "RsaSsaPssPublicKey"),
        ("d", 3, _BYTES),
        ("p", 4, _BYTES),
        ("q", 5, _BYTES),
        ("dp", 6, _BYTES),
        ("dq", 7, _BYTES),
        ("crt", 8, _BYTES),
    ),
    "MlDsaParams": (("ml_dsa_instance", 1, _INT32),),
    "MlDsaPublicKey": (
        ("version", 1, _UINT32),
        ("key_value", 2, _BYTES),
        ("params", 3, "MlDsaParams"),
    ),
    "MlDsaPrivateKey": (
        ("version", 1, _UINT32),
        ("key_value", 2, _BYTES),
        ("public_key", 3, "MlDsaPublicKey"),
    ),
}
"""Fields: name, number, type or message. Enumerations are read as the numbers that they are."""

HASH_SHA256: Final = 3
HASH_SHA384: Final = 2
CURVE_P256: Final = 2
CURVE_P384: Final = 3
KEM_X25519: Final = 1
KEM_P256: Final = 2
KEM_X_WING: Final = 5
KDF_HKDF_SHA256: Final = 1
AEAD_AES_256_GCM: Final = 2
ML_DSA_65: Final = 1


def _described() -> FileDescriptorProto:
    file = FileDescriptorProto(name="leeward/tink.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            made = message.field.add(
                name=field, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL
            )
            if isinstance(kind, str):
                made.type = FieldDescriptorProto.TYPE_MESSAGE
                made.type_name = f".{_PACKAGE}.{kind}"
            else:
                made.type = FieldDescriptorProto.Type.ValueType(kind)
    return file


_POOL: Final = DescriptorPool()
_POOL.AddSerializedFile(_described().SerializeToString())


def read_message(name: str, data: bytes) -> Message:
    """Parse a message.

    Raises:
        google.protobuf.message.DecodeError: It is not one.
    """
    made = GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()
    made.ParseFromString(data)
    return made
