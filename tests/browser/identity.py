"""An OpenID Connect provider for the tests: the protocol of Authlib's server, a form to sign in with, and nothing kept.

`python -m tests.browser.identity PORT REDIRECT_URI` serves one client on 127.0.0.1: discovery, /authorize (code and
PKCE), /token (client secret; id_token signed RS256, with the nonce), /jwks, /userinfo and /logout. Every e-mail may
sign in with the one password. Four names stand for what goes wrong elsewhere: late@ gets an id_token whose time is
over, elsewhere@ one that was made for another client, party@ one that another client got for us, and unverified@ one
that says nobody has checked the e-mail.
"""
# ruff: noqa: ARG002  # the signatures are Authlib's

from __future__ import annotations

import html
import os
import sys
import time
from dataclasses import dataclass, field

import uvicorn
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET, PASSWORD = "slim", "a secret between the two", "correct horse"
CODE_VALID_S, TOKEN_VALID_S = 60, 3600
SCOPES = ["openid", "email", "profile"]
FORM = """<!doctype html><html lang="en"><title>Test identity</title><h1>Test identity</h1><p>{problem}</p>
<form method="post"><label>E-mail <input name="email" type="email"></label>
<label>Password <input name="password" type="password"></label>
<button name="answer" value="yes">Continue</button> <button name="answer" value="no">Refuse</button></form></html>"""


@dataclass(frozen=True)
class Client(ClientMixin):
    """The dashboard, as it is registered here."""

    redirect_uri: str
    client_id: str = CLIENT_ID

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in (scope or "").split() if one in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """What an authorization code stands for."""

    code: str
    email: str
    scope: str
    asked: dict[str, str]  # redirect_uri, nonce, code_challenge, ...
    until: float = field(default_factory=lambda: time.time() + CODE_VALID_S)

    @property
    def code_challenge(self) -> str | None:
        return self.asked.get("code_challenge")

    @property
    def code_challenge_method(self) -> str | None:
        return self.asked.get("code_challenge_method")

    def get_redirect_uri(self) -> str | None:
        return self.asked.get("redirect_uri")

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.asked.get("nonce")

    def get_auth_time(self) -> int:
        return int(self.until - CODE_VALID_S)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class CodeGrant(AuthorizationCodeGrant):
    """Codes live in the server's memory, and are good for one token."""

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        self.server.codes[code] = Code(code, request.user, request.scope, dict(request.payload.data))

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found = self.server.codes.get(code)
        return found if found and time.time() < found.until else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.email


class Identity(OpenIDCode):
    """The id_token."""

    def __init__(self, server: Server) -> None:
        super().__init__(require_nonce=True)
        self.server = server

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        return any(code.get_nonce() == nonce for code in self.server.codes.values())

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        return self.server.key

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": "RS256", "kid": self.server.key.kid}

    def get_client_claims(self, client: Client) -> dict[str, str | list[str]]:
        return {"iss": self.server.issuer, "aud": [client.client_id]}

    def generate_user_info(self, user: str, scope: str) -> UserInfo:
        info = claims(user).filter(scope)
        late = {"iat": int(time.time()) - 9000, "exp": int(time.time()) - 5400}
        elsewhere = {"aud": ["another-client"]}
        wrong = {"late": late, "elsewhere": elsewhere, "party": elsewhere | {"azp": CLIENT_ID}}
        return UserInfo(info, **wrong.get(user.partition("@")[0], {}))


def claims(email: str) -> UserInfo:
    """What is known of a person."""
    name = email.partition("@")[0]
    return UserInfo(sub=f"sub-{email}", email=email, email_verified=name != "unverified", name=name.capitalize())


class AskedRequest(OAuth2Request):
    """A request in the words of Authlib."""

    def __init__(self, request: Request, form: dict[str, str]) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self._args, self._form = dict(request.query_params), form
        self.payload = BasicOAuth2Payload({**self._args, **form})

    @property
    def args(self) -> dict[str, str]:
        return self._args

    @property
    def form(self) -> dict[str, str]:
        return self._form


class Server(AuthorizationServer):
    """The protocol, with one client."""

    def __init__(self, issuer: str, redirect_uri: str) -> None:
        super().__init__(scopes_supported=SCOPES)
        self.issuer, self.client = issuer, Client(redirect_uri)
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, str] = {}  # access token -> e-mail
        self.register_grant(CodeGrant, [Identity(self), CodeChallenge()])
        made = BearerTokenGenerator(lambda **_: generate_token(42), expires_generator=TOKEN_VALID_S)
        self.register_token_generator("default", made)

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, str], request: OAuth2Request) -> None:
        self.tokens[token["access_token"]] = request.user

    def create_oauth2_request(self, request: AskedRequest) -> AskedRequest:
        return request

    def handle_response(self, status: int, body: dict[str, str] | str, headers: list[tuple[str, str]]) -> Response:
        kind = JSONResponse if isinstance(body, dict) else Response
        return kind(body, status_code=status, headers=dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def is_ours(self, id_token: str) -> bool:
        """True where this server has signed that token."""
        try:
            jwt.decode(id_token, self.key, algorithms=["RS256"])
        except (JoseError, ValueError):
            return False
        return True


def routes(server: Server) -> list[Route]:
    """The addresses that the discovery document names."""

    def discovery(request: Request) -> Response:
        ends = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "logout"}
        return JSONResponse(
            {f"{name}_endpoint": f"{server.issuer}/{path}" for name, path in ends.items()}
            | {
                "issuer": server.issuer,
                "jwks_uri": f"{server.issuer}/jwks",
                "scopes_supported": SCOPES,
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS,
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def authorize(request: Request) -> Response:
        form = dict(await request.form())
        asked = AskedRequest(request, {})  # what the form says is no part of the protocol
        try:
            grant = server.get_consent_grant(asked)
        except OAuth2Error as error:
            return server.handle_error_response(asked, error)
        if not form:
            return HTMLResponse(FORM.format(problem=""))
        if form["answer"] == "yes" and form["password"] != PASSWORD:
            return HTMLResponse(FORM.format(problem=f"Not {html.escape(form['email'])}'s password."), 401)
        user = form["email"] if form["answer"] == "yes" else None
        return server.create_authorization_response(asked, grant_user=user, grant=grant)

    async def token(request: Request) -> Response:
        return server.create_token_response(AskedRequest(request, dict(await request.form())))

    def userinfo(request: Request) -> Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in server.tokens:
            return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return JSONResponse(claims(server.tokens[given]))

    def jwks(request: Request) -> Response:
        return JSONResponse({"keys": [server.key.as_dict(private=False)]})

    def logout(request: Request) -> Response:
        back = request.query_params.get("post_logout_redirect_uri", "")
        if not (server.client.check_redirect_uri(back) and server.is_ours(request.query_params["id_token_hint"])):
            return HTMLResponse("You are signed out.", 400)
        return RedirectResponse(back, 302)

    return [
        Route("/.well-known/openid-configuration", discovery),
        Route("/authorize", authorize, methods=["GET", "POST"]),
        Route("/token", token, methods=["POST"]),
        Route("/userinfo", userinfo),
        Route("/jwks", jwks),
        Route("/logout", logout),
        Route("/favicon.ico", lambda _: Response(status_code=204)),
    ]


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on this machine
    listen = int(sys.argv[1])
    served = Server(f"http://127.0.0.1:{listen}", sys.argv[2])
    uvicorn.run(Starlette(routes=routes(served)), host="127.0.0.1", port=listen, log_level="warning")
