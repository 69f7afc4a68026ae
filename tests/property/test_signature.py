"""Untrusted bytes where signatures, keys and certificates are read: refused in a sentence, or true.

Whatever is changed, nothing but a refusal comes out, and never a "yes" for another file.
"""

import base64
import contextlib
import io
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.rsa.keys import material
from leeward.cli.errors import CliError
from leeward.cli.passphrase import Passphrases
from leeward.cli.pemfiles import read_private, read_public
from leeward.cli.session import Session
from leeward.formats.certificates import SignerRequest
from leeward.formats.certificates.verification import certified_key, load_certificates, names_of
from leeward.formats.dsse import SignatureError, SigningAlgorithm, verifying_key
from leeward.formats.material import private_pem, public_pem
from leeward.formats.signature import sign, sign_bare, verify, verify_bare
from leeward.keystore.certificates import issue_signer
from unit.formats.signing_keys import SIGNING, signer
from unit.keystore.certificate_world import NOW, VaultAuthority

DATA = b"patient_id,name\nP1,Ada\n"
ENVELOPES = {a: sign(io.BytesIO(DATA), signer(a)) for a in SIGNING}
BARE = {a: sign_bare(io.BytesIO(DATA), signer(a)) for a in SIGNING}


@st.composite
def changed(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes like the original: some replaced, a part removed, repeated or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        piece = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[at:end]) * 2)))
        data[at:end] = piece
    return bytes(data)


@pytest.mark.parametrize("algorithm", SIGNING)
@settings(max_examples=40)
@given(data=st.data())
def test_a_changed_envelope_is_refused_or_means_the_same(
    algorithm: SigningAlgorithm, data: st.DataObject
) -> None:
    key = verifying_key(signer(algorithm))
    envelope = data.draw(changed(ENVELOPES[algorithm]))
    with pytest.raises(SignatureError):
        verify(io.BytesIO(DATA + b"x"), envelope, key)
    try:
        verify(io.BytesIO(DATA), envelope, key)
    except SignatureError:
        return
    assert base64.b64decode(ENVELOPES[algorithm].split(b'"')[3]) in base64.b64decode(
        envelope.split(b'"payload"')[1].split(b'"')[1]
    )


@pytest.mark.parametrize("algorithm", SIGNING)
@settings(max_examples=40)
@given(data=st.data())
def test_a_changed_bare_signature_is_refused(
    algorithm: SigningAlgorithm, data: st.DataObject
) -> None:
    signature = data.draw(changed(BARE[algorithm]))
    if signature != BARE[algorithm]:
        with pytest.raises(SignatureError):
            verify_bare(io.BytesIO(DATA), signature, verifying_key(signer(algorithm)))


PAIRS = ("HPKE_X25519", "HPKE_MLKEM768_X25519", "RSA3072_OAEP", "ECDSA_P384", "ML_DSA_65")
MATERIAL = {name: material(name, os.urandom) for name in PAIRS}


@pytest.mark.parametrize("algorithm", PAIRS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_changed_key_file_is_read_or_refused(algorithm: str, data: st.DataObject) -> None:
    asked = Session(ask_secret=lambda question: "no")
    private = private_pem(algorithm, MATERIAL[algorithm]).encode()
    public = (public_pem(algorithm, MATERIAL[algorithm]) or "").encode()
    path = Path("key.pem")
    with contextlib.suppress(CliError):
        read_private(path, data.draw(changed(private)), "PublicKey", Passphrases(asked))
    with contextlib.suppress(CliError):
        read_public(path, data.draw(changed(public)), "Signing")


AUTHORITY = VaultAuthority()
REQUEST = SignerRequest(
    "clinic.example", "clinic", "vault", "signing", "kd", "clinic", "ward", "u1", "ED25519"
)
LEAF = x509.load_pem_x509_certificate(
    issue_signer(
        AUTHORITY.pem, "ECDSA_P256", AUTHORITY.material, REQUEST, NOW, os.urandom
    ).certificate_pem.encode()
)


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n%b\n-----END CERTIFICATE-----\n" % base64.b64encode(der)


@settings(max_examples=40)
@given(data=st.data())
def test_a_changed_certificate_is_refused(data: st.DataObject) -> None:
    der = data.draw(changed(LEAF.public_bytes(serialization.Encoding.DER)))
    try:
        leaf, *_ = load_certificates(_pem(der))
        key = certified_key(leaf, load_certificates(AUTHORITY.pem.encode()), NOW)
    except SignatureError:
        return
    assert verifying_key(LEAF.public_key()) == key
    assert names_of(leaf) == names_of(LEAF)


@settings(max_examples=40)
@given(data=st.data())
def test_a_changed_authority_is_refused_or_means_the_same(data: st.DataObject) -> None:
    authority = x509.load_pem_x509_certificate(AUTHORITY.pem.encode())
    der = data.draw(changed(authority.public_bytes(serialization.Encoding.DER)))
    try:
        certified_key(LEAF, load_certificates(_pem(der)), NOW)
    except SignatureError:
        return
    (read,) = load_certificates(_pem(der))
    assert read.public_key() == authority.public_key()
