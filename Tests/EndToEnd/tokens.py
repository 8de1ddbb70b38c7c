"""Makes keys and tokens for tests, by PyJWT: an implementation that shares no code with the gateway's."""

import base64
import hashlib
import hmac
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


def private_key(kind="rsa"):
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def public_pem(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key):
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


def key_set(**keys):
    """A JSON Web Key Set of keys by name."""
    makers = {rsa.RSAPrivateKey: "RSAAlgorithm", ec.EllipticCurvePrivateKey: "ECAlgorithm"}
    result = []
    for name, key in keys.items():
        maker = next((m for kind, m in makers.items() if isinstance(key, kind)), "OKPAlgorithm")
        entry = json.loads(getattr(jwt.algorithms, maker).to_jwk(key.public_key()))
        result.append({**entry, "kid": name, "use": "sig"})
    return json.dumps({"keys": result})


def token(key, algorithm="RS256", kid=None, user="app", life=600, **claims):
    """A token of `user` for the next `life` seconds; a claim of None is left out."""
    now = int(time.time())
    content = {"preferred_username": user, "iat": now, "exp": now + life, **claims}
    content = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(content, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def confused(key, user="app", algorithm="HS256"):
    """The public key as the secret of an HMAC: who verifies by the algorithm of the token believes it."""
    head = b64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = head + "." + b64(json.dumps({"preferred_username": user, "exp": int(time.time()) + 600}).encode())
    return signed + "." + b64(hmac.new(public_pem(key).encode(), signed.encode(), hashlib.sha256).digest())


def unsigned(user="app"):
    head = b64(json.dumps({"alg": "none"}).encode())
    return head + "." + b64(json.dumps({"preferred_username": user, "exp": int(time.time()) + 600}).encode()) + "."
