"""A lazy route behaves as an eager one to the letter: every test here runs over three forms of the same application.

starlette: Starlette's own classes, given objects;  object: hotserve's classes, given objects;  reference: hotserve's
classes, given references.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import starlette.middleware
import starlette.routing
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Router
from starlette.schemas import SchemaGenerator

import hotserve
from tests.asgi import Modules, converse, get, live, request

# Does this Starlette put the route into the scope?
NAMES_THE_ROUTE = 'scope["route"]' in inspect.getsource(Router)

ENDPOINTS = '''
    import functools
    import threading

    from starlette.background import BackgroundTask
    from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
    from starlette.exceptions import HTTPException, WebSocketException
    from starlette.responses import JSONResponse, PlainTextResponse

    def index(request):
        """
        responses:
          200:
            description: All of them.
        """
        return PlainTextResponse("index")

    async def show(request):
        """
        responses:
          200:
            description: One of them.
        """
        return JSONResponse({"id": request.path_params["id"], "type": type(request.path_params["id"]).__name__})

    def thread_sync(request):
        return PlainTextResponse(str(threading.get_ident()))

    async def thread_async(request):
        return PlainTextResponse(str(threading.get_ident()))

    async def method(request):
        return PlainTextResponse(request.method)

    async def body(request):
        return PlainTextResponse(str(len(await request.body())))

    async def seen(request):
        route = request.scope.get("route")
        return JSONResponse({
            "endpoint": request.scope["endpoint"] is seen,
            "route": getattr(route, "path", None),
            "root_path": request.scope["root_path"],
            "url": str(request.url_for("shown", id=7)),
        })

    class Items(HTTPEndpoint):
        async def get(self, request):
            """
            responses:
              200:
                description: The items.
            """
            return PlainTextResponse("items")

        def post(self, request):
            return PlainTextResponse(str(threading.get_ident()), status_code=201)

    async def greet(greeting, request):
        return PlainTextResponse(greeting)

    hello = functools.partial(functools.partial(greet), "hello")

    class Answering:
        async def __call__(self, scope, receive, send):
            await PlainTextResponse("as " + scope["method"])(scope, receive, send)

    answering = Answering()

    class Lost(Exception):
        pass

    class Special(Lost):
        pass

    async def lost(request):
        raise Special("lost")

    def gone(request):
        raise HTTPException(410, "gone")

    async def crash(request):
        raise ZeroDivisionError("crashed")

    async def chat(websocket):
        await websocket.accept()
        await websocket.send_text(websocket.path_params["room"] + ":" + await websocket.receive_text())
        await websocket.close()

    async def rejected(websocket):
        raise WebSocketException(code=4001)

    class Echo(WebSocketEndpoint):
        encoding = "text"

        async def on_receive(self, websocket, data):
            await websocket.send_text("echo " + data)

    done = []

    async def notify(word):
        done.append((word, threading.get_ident()))

    def notify_sync(word):
        done.append((word, threading.get_ident()))
'''

HANDLERS = """
    from starlette.responses import PlainTextResponse

    async def on_lost(request, exc):
        return PlainTextResponse(f"found {exc}", status_code=418)

    def on_gone(request, exc):
        return PlainTextResponse(f"handled {exc.status_code}", status_code=exc.status_code)

    def on_crash(request, exc):
        return PlainTextResponse(f"caught {exc}", status_code=500)
"""

MIDDLEWARE = """
    from starlette.datastructures import MutableHeaders
    from starlette.middleware.base import BaseHTTPMiddleware

    class Mark:
        def __init__(self, app, word, *, times=1):
            self.app = app
            self.word = word * times

        async def __call__(self, scope, receive, send):
            async def marked(message):
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).append("x-mark", self.word)
                if message["type"] == "websocket.accept":
                    message = message | {"headers": [*message.get("headers", []), (b"x-mark", self.word.encode())]}
                await send(message)

            await self.app(scope, receive, marked)

    class Based(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            response = await call_next(request)
            response.headers.append("x-mark", "based")
            return response
"""

ADMIN = """
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Mount, Route, Router

    async def users(request):
        return JSONResponse({"root_path": request.scope["root_path"], "url": str(request.url_for("admin:users"))})

    async def user(request):
        return JSONResponse(dict(request.path_params))

    routes = [
        Route("/users", users, name="users"),
        Mount("/deep", routes=[Route("/{name}", user, name="user")], name="deep"),
    ]
    app = Starlette(routes=routes)
    router = Router(routes)

    class Plain:
        async def __call__(self, scope, receive, send):
            await JSONResponse({"mine": scope["endpoint"] is plain})(scope, receive, send)

    plain = Plain()
"""

LIFESPAN = """
    import contextlib

    events = []

    @contextlib.asynccontextmanager
    async def lifespan(app):
        events.append("up")
        yield {"pool": "full"}
        events.append("down")

    async def started():
        events.append("started")

    def stopped():
        events.append("stopped")
"""


@dataclass
class Form:
    """One way to write an application."""

    name: str
    modules: Modules

    def __call__(self, reference: str) -> Any:
        """What stands for `reference` in a route, a mount or a middleware."""
        return reference if self.name == "reference" else self.modules.load(reference)

    def function(self, reference: str) -> Any:
        """What stands for `reference` where Starlette takes any callable."""
        return hotserve.lazy(reference) if self.name == "reference" else self.modules.load(reference)

    @property
    def Route(self) -> Any:
        return starlette.routing.Route if self.name == "starlette" else hotserve.Route

    @property
    def WebSocketRoute(self) -> Any:
        return starlette.routing.WebSocketRoute if self.name == "starlette" else hotserve.WebSocketRoute

    @property
    def Mount(self) -> Any:
        return starlette.routing.Mount if self.name == "starlette" else hotserve.Mount

    @property
    def Middleware(self) -> Any:
        return starlette.middleware.Middleware if self.name == "starlette" else hotserve.Middleware


@pytest.fixture(params=["starlette", "object", "reference"])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Form]:
    with Modules.importable(tmp_path) as modules:
        modules.write("shop/endpoints.py", ENDPOINTS)
        modules.write("shop/handlers.py", HANDLERS)
        modules.write("shop/middleware.py", MIDDLEWARE)
        modules.write("shop/admin.py", ADMIN)
        modules.write("shop/life.py", LIFESPAN)
        yield Form(request.param, modules)


def one(form: Form, endpoint: str, path: str = "/", **options: Any) -> Starlette:
    """An application of one route."""
    return Starlette(routes=[form.Route(path, form(f"shop.endpoints:{endpoint}"), **options)])


def allowed(response: Any) -> list[str]:
    return sorted(response.headers["allow"].split(", "))


# -- methods -----------------------------------------------------------------------------------------------------------


def test_a_function_answers_get_and_head(form: Form) -> None:
    app = one(form, "index")
    assert (get(app, "/").status_code, get(app, "/").text) == (200, "index")
    head = request(app, "HEAD", "/")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")
    assert app.routes[0].methods == {"GET", "HEAD"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_function_refuses_other_methods_and_says_which_it_takes(form: Form, method: str) -> None:
    response = request(one(form, "index"), method, "/")
    assert (response.status_code, response.text) == (405, "Method Not Allowed")
    assert allowed(response) == ["GET", "HEAD"]


def test_explicit_methods_replace_the_default_ones(form: Form) -> None:
    app = one(form, "method", methods=["post", "PUT"])
    assert request(app, "POST", "/").text == "POST"
    assert request(app, "PUT", "/").text == "PUT"
    refused = get(app, "/")
    assert (refused.status_code, allowed(refused)) == (405, ["POST", "PUT"])
    assert app.routes[0].methods == {"POST", "PUT"}  # type: ignore[attr-defined]


def test_no_explicit_methods_means_all(form: Form) -> None:
    assert request(one(form, "method", methods=[]), "DELETE", "/").text == "DELETE"


def test_explicit_get_brings_head(form: Form) -> None:
    assert request(one(form, "index", methods=["GET"]), "HEAD", "/").status_code == 200


def test_explicit_methods_hold_for_an_endpoint_class(form: Form) -> None:
    refused = request(one(form, "Items", methods=["GET"]), "POST", "/")
    assert (refused.status_code, allowed(refused)) == (405, ["GET", "HEAD"])


def test_routes_of_one_path_share_its_methods(form: Form) -> None:
    app = Starlette(
        routes=[
            form.Route("/", form("shop.endpoints:index"), methods=["GET"]),
            form.Route("/", form("shop.endpoints:method"), methods=["POST"]),
        ]
    )
    assert get(app, "/").text == "index"
    assert request(app, "POST", "/").text == "POST"
    refused = request(app, "DELETE", "/")
    assert (refused.status_code, allowed(refused)) == (405, ["GET", "HEAD"])


def test_an_endpoint_class_takes_every_method_before_a_later_route_does(form: Form) -> None:
    routes = [
        form.Route("/", form("shop.endpoints:Items")),
        form.Route("/", form("shop.endpoints:method"), methods=["POST", "DELETE"]),
    ]
    assert request(Starlette(routes=routes), "POST", "/").status_code == 201
    assert request(Starlette(routes=routes), "DELETE", "/").status_code == 405


def test_a_refused_method_still_names_its_endpoint_and_route(form: Form) -> None:
    seen: dict[str, Any] = {}

    async def refuse(request: Any, exc: Exception) -> Any:
        seen.update(request.scope)
        return PlainTextResponse("refused", status_code=405)

    for options in ({}, {"methods": ["GET"]}):
        route = form.Route("/{id}", form("shop.endpoints:show"), **options)
        assert request(Starlette(routes=[route], exception_handlers={405: refuse}), "POST", "/7").text == "refused"
        assert seen["endpoint"] is form.modules.load("shop.endpoints:show")
        assert (seen.get("route") is route, seen["path_params"]) == (NAMES_THE_ROUTE, {"id": "7"})


# -- endpoints ---------------------------------------------------------------------------------------------------------


def test_a_sync_function_runs_in_a_worker_thread(form: Form) -> None:
    assert get(one(form, "thread_sync"), "/").text != str(threading.get_ident())


def test_an_async_function_runs_on_the_loops_thread(form: Form) -> None:
    assert get(one(form, "thread_async"), "/").text == str(threading.get_ident())


def test_an_endpoint_class_answers_the_methods_it_has(form: Form) -> None:
    app = one(form, "Items")
    assert get(app, "/").text == "items"
    posted = request(app, "POST", "/")
    assert (posted.status_code, posted.text == str(threading.get_ident())) == (201, False)
    refused = request(app, "DELETE", "/")
    eager = Starlette(routes=[starlette.routing.Route("/", form.modules.load("shop.endpoints:Items"))])
    assert (refused.status_code, allowed(refused)) == (405, allowed(request(eager, "DELETE", "/")))
    assert app.routes[0].methods is None  # type: ignore[attr-defined]


def test_a_partial_is_a_function(form: Form) -> None:
    app = one(form, "hello")
    assert get(app, "/").text == "hello"
    assert request(app, "POST", "/").status_code == 405


def test_a_callable_instance_is_an_asgi_application(form: Form) -> None:
    assert request(one(form, "answering"), "PATCH", "/").text == "as PATCH"


def test_the_scope_holds_the_endpoint_the_route_and_the_root_path(form: Form) -> None:
    routes = [
        form.Route("/seen", form("shop.endpoints:seen")),
        form.Route("/show/{id}", form("shop.endpoints:show"), name="shown"),
    ]
    seen = get(Starlette(routes=routes), "/seen").json()
    assert seen.pop("route") == ("/seen" if NAMES_THE_ROUTE else None)
    assert seen == {"endpoint": True, "root_path": "", "url": "http://testserver/show/7"}


@pytest.mark.parametrize(
    ("path", "url", "expected"),
    [
        ("/{id}", "/seven", {"id": "seven", "type": "str"}),
        ("/{id:int}", "/7", {"id": 7, "type": "int"}),
        ("/{id:float}", "/7.5", {"id": 7.5, "type": "float"}),
        ("/{id:path}", "/a/b/c", {"id": "a/b/c", "type": "str"}),
    ],
)
def test_path_parameters_are_converted(form: Form, path: str, url: str, expected: dict[str, Any]) -> None:
    assert get(one(form, "show", path), url).json() == expected


def test_a_path_that_the_convertor_refuses_is_not_found(form: Form) -> None:
    assert get(one(form, "show", "/{id:int}"), "/seven").status_code == 404


@pytest.mark.parametrize(("path", "asked", "told"), [("/a/", "/a", "/a/"), ("/a", "/a/", "/a")])
def test_slashes_are_redirected(form: Form, path: str, asked: str, told: str) -> None:
    response = get(one(form, "index", path), asked)
    assert (response.status_code, response.headers["location"]) == (307, f"http://testserver{told}")


def test_a_route_is_an_application_by_itself(form: Form) -> None:
    route = form.Route("/here", form("shop.endpoints:index"))
    assert get(route, "/here").text == "index"
    assert (get(route, "/there").status_code, get(route, "/there").text) == (404, "Not Found")
    refused = request(route, "POST", "/here")
    assert (refused.status_code, allowed(refused)) == (405, ["GET", "HEAD"])


def test_a_router_in_a_router_serves(form: Form) -> None:
    inner = Router([form.Route("/show/{id:int}", form("shop.endpoints:show"), name="shown")])
    outer = Router([form.Mount("/v1", app=inner, name="v1")])
    assert get(outer, "/v1/show/3").json() == {"id": 3, "type": "int"}
    assert outer.url_path_for("v1:shown", id=3) == "/v1/show/3"


# -- names, URLs, schemas ----------------------------------------------------------------------------------------------


def test_the_name_is_the_functions_or_the_classes(form: Form) -> None:
    assert form.Route("/", form("shop.endpoints:index")).name == "index"
    assert form.Route("/", form("shop.endpoints:Items")).name == "Items"
    assert form.Route("/", form("shop.endpoints:index"), name="home").name == "home"
    assert form.WebSocketRoute("/", form("shop.endpoints:chat")).name == "chat"
    assert form.WebSocketRoute("/", form("shop.endpoints:Echo"), name="e").name == "e"


def test_urls_are_made_from_names(form: Form) -> None:
    router = Router(
        [
            form.Route("/", form("shop.endpoints:index")),
            form.Route("/show/{id:int}", form("shop.endpoints:show")),
            form.WebSocketRoute("/chat/{room}", form("shop.endpoints:chat")),
        ]
    )
    assert router.url_path_for("index") == "/"
    assert router.url_path_for("show", id=3) == "/show/3"
    assert router.url_path_for("chat", room="x") == "/chat/x"
    assert router.url_path_for("chat", room="x").protocol == "websocket"
    for name, params in (("show", {}), ("show", {"id": 3, "more": 1}), ("nobody", {})):
        with pytest.raises(starlette.routing.NoMatchFound):
            router.url_path_for(name, **params)


def test_the_schema_comes_from_the_docstrings(form: Form) -> None:
    routes = [
        form.Route("/index", form("shop.endpoints:index")),
        form.Route("/show/{id:int}", form("shop.endpoints:show"), methods=["GET", "POST"]),
        form.Route("/items", form("shop.endpoints:Items")),
        form.Route("/hidden", form("shop.endpoints:index"), include_in_schema=False),
        form.WebSocketRoute("/chat", form("shop.endpoints:chat")),
        form.Mount("/sub", routes=[form.Route("/index", form("shop.endpoints:index"))]),
    ]
    schema = SchemaGenerator({"info": {"title": "shop"}}).get_schema(routes)
    everything, single, items = (
        {"responses": {200: {"description": text}}} for text in ("All of them.", "One of them.", "The items.")
    )
    assert schema == {
        "info": {"title": "shop"},
        "paths": {
            "/index": {"get": everything},
            "/show/{id}": {"get": single, "post": single},
            "/items": {"get": items},
            "/sub/index": {"get": everything},
        },
    }


def test_routes_are_equal_when_their_paths_endpoints_and_methods_are(form: Form) -> None:
    def route(path: str, name: str, **options: Any) -> Any:
        return form.Route(path, form(f"shop.endpoints:{name}"), **options)

    assert route("/", "index") == route("/", "index")
    assert route("/", "index") == route("/", "index", methods=["GET"])
    assert route("/", "index") != route("/", "index", methods=["POST"])
    assert route("/", "index", methods=["POST"]) == route("/", "index", methods=["POST"])
    assert route("/", "Items") == route("/", "Items")
    assert route("/", "Items") != route("/", "Items", methods=["GET"])
    assert route("/", "index") != route("/x", "index")
    assert route("/", "index") != route("/", "show")
    assert route("/", "index") == starlette.routing.Route("/", form.modules.load("shop.endpoints:index"))
    assert starlette.routing.Route("/", form.modules.load("shop.endpoints:index")) == route("/", "index")
    chat = form.WebSocketRoute("/", form("shop.endpoints:chat"))
    assert chat == form.WebSocketRoute("/", form("shop.endpoints:chat"))
    assert chat != form.WebSocketRoute("/", form("shop.endpoints:Echo"))
    mount = form.Mount("/a", form("shop.admin:app"))
    assert mount == form.Mount("/a", form("shop.admin:app"))
    assert mount != form.Mount("/b", form("shop.admin:app"))


# -- mounts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["app", "router"])
def test_a_mounted_application_serves_below_its_path(form: Form, target: str) -> None:
    app = Starlette(routes=[form.Mount("/admin", form(f"shop.admin:{target}"), name="admin")])
    if target == "router":  # the outer application's names
        assert get(app, "/admin/users").json() == {"root_path": "/admin", "url": "http://testserver/admin/users"}
    assert get(app, "/admin/deep/ann").json() == {"name": "ann"}
    assert get(app, "/admin/nothing").status_code == 404
    assert get(app, "/elsewhere").status_code == 404
    assert app.url_path_for("admin:users") == "/admin/users"
    assert app.url_path_for("admin:deep:user", name="ann") == "/admin/deep/ann"
    assert app.url_path_for("admin", path="/x") == "/admin/x"


def test_mounted_routes_serve_below_its_path(form: Form) -> None:
    app = Starlette(routes=[form.Mount("/admin", routes=form("shop.admin:routes"), name="admin")])
    assert get(app, "/admin/users").json() == {"root_path": "/admin", "url": "http://testserver/admin/users"}
    assert app.url_path_for("admin:deep:user", name="ann") == "/admin/deep/ann"


def test_a_mount_without_a_name_passes_names_through(form: Form) -> None:
    app = Starlette(routes=[form.Mount("/{tenant}/x", routes=form("shop.admin:routes"))])
    assert app.url_path_for("users", tenant="acme") == "/acme/x/users"
    assert get(app, "/acme/x/deep/ann").json() == {"tenant": "acme", "name": "ann"}


def test_a_mount_shows_the_routes_of_its_application(form: Form) -> None:
    for target in ("app", "router"):
        mount = form.Mount("/admin", form(f"shop.admin:{target}"))
        assert [route.path for route in mount.routes] == ["/users", "/deep"]
    assert [route.path for route in form.Mount("/a", routes=form("shop.admin:routes")).routes] == ["/users", "/deep"]
    assert form.Mount("/plain", form("shop.admin:plain")).routes == []


def test_a_mounts_endpoint_is_its_application(form: Form) -> None:
    assert get(Starlette(routes=[form.Mount("/plain", form("shop.admin:plain"))]), "/plain/").json() == {"mine": True}


def test_a_mounts_endpoint_is_its_middleware_where_it_has_some(form: Form) -> None:
    mount = form.Mount("/plain", form("shop.admin:plain"), middleware=[mark(form, word="a")])
    assert get(Starlette(routes=[mount]), "/plain/").json() == {"mine": False}


# -- middleware and limits ---------------------------------------------------------------------------------------------


def mark(form: Form, *args: Any, **kwargs: Any) -> Any:
    return form.Middleware(form("shop.middleware:Mark"), *args, **kwargs)


def test_middleware_of_a_route_wraps_it_first_one_outermost(form: Form) -> None:
    app = Starlette(
        middleware=[mark(form, word="app")],
        routes=[
            form.Route("/", form("shop.endpoints:index"), middleware=[mark(form, word="a"), mark(form, word="b")]),
            form.Route("/bare", form("shop.endpoints:index")),
        ],
    )
    # The innermost sees the response first.
    assert get(app, "/").headers.get_list("x-mark") == ["b", "a", "app"]
    assert get(app, "/bare").headers.get_list("x-mark") == ["app"]


def test_middleware_wraps_a_mount_a_router_and_a_websocket(form: Form) -> None:
    inner = Router([form.Route("/", form("shop.endpoints:index"))], middleware=[mark(form, word="router", times=2)])
    app = Starlette(
        routes=[
            form.Mount("/m", app=inner, middleware=[mark(form, word="mount")]),
            form.Mount("/r", form("shop.admin:app"), middleware=[mark(form, word="mount")]),
            form.WebSocketRoute("/{room}", form("shop.endpoints:chat"), middleware=[mark(form, word="ws")]),
        ]
    )
    assert get(app, "/m/").headers.get_list("x-mark") == ["routerrouter", "mount"]
    assert get(app, "/r/deep/ann").headers.get_list("x-mark") == ["mount"]
    assert converse(app, "/x", "hi")[0]["headers"] == [(b"x-mark", b"ws")]


def test_base_http_middleware_works(form: Form) -> None:
    based = form.Middleware(form("shop.middleware:Based"))
    app = Starlette(
        middleware=[based], routes=[form.Route("/", form("shop.endpoints:index"), middleware=[mark(form, word="a")])]
    )
    assert get(app, "/").headers.get_list("x-mark") == ["a", "based"]
    assert get(app, "/").text == "index"


def test_positional_arguments_reach_a_middleware_as_in_this_starlette(form: Form) -> None:
    app = Starlette(middleware=[mark(form, "app")], routes=[form.Route("/", form("shop.endpoints:index"))])
    by_keyword = "cls(app=app" in inspect.getsource(Starlette)  # before 0.42 the application was passed by name
    if by_keyword:
        with pytest.raises(TypeError, match="multiple values for argument 'app'"):
            get(app, "/")
    else:
        assert get(app, "/").headers.get_list("x-mark") == ["app"]


def test_a_middleware_names_its_class_and_arguments(form: Form) -> None:
    assert repr(mark(form, word="a", times=2)) == "Middleware(Mark, word='a', times=2)"


@pytest.mark.skipif(
    "max_body_size" not in inspect.signature(starlette.routing.Route).parameters, reason="this Starlette has no limit"
)
def test_a_body_over_the_limit_is_refused(form: Form) -> None:
    app = Starlette(
        routes=[
            form.Route("/body", form("shop.endpoints:body"), methods=["POST"], max_body_size=3),
            form.Mount("/m", routes=[form.Route("/", form("shop.endpoints:body"), methods=["POST"])], max_body_size=3),
        ]
    )
    for path in ("/body", "/m/"):
        assert request(app, "POST", path, content=b"123").text == "3"
        assert request(app, "POST", path, content=b"1234").status_code == 413


# -- websockets --------------------------------------------------------------------------------------------------------


def test_a_websocket_function_serves(form: Form) -> None:
    app = Starlette(routes=[form.WebSocketRoute("/chat/{room}", form("shop.endpoints:chat"))])
    sent = converse(app, "/chat/blue", "hi")
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[1]["text"] == "blue:hi"
    assert get(app, "/chat/blue").status_code == 404


def test_a_websocket_class_serves(form: Form) -> None:
    app = Starlette(routes=[form.WebSocketRoute("/echo", form("shop.endpoints:Echo"))])
    assert [message.get("text") for message in converse(app, "/echo", "a", "b")] == [None, "echo a", "echo b"]


def test_a_websocket_exception_closes_with_its_code(form: Form) -> None:
    app = Starlette(routes=[form.WebSocketRoute("/no", form("shop.endpoints:rejected"))])
    sent = converse(app, "/no")
    assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 4001)


# -- callables ---------------------------------------------------------------------------------------------------------


def test_exceptions_reach_the_handlers_of_the_application(form: Form) -> None:
    app = Starlette(
        routes=[form.Route(f"/{name}", form(f"shop.endpoints:{name}")) for name in ("lost", "gone", "crash")],
        exception_handlers={
            form.modules.load("shop.endpoints:Lost"): form.function("shop.handlers:on_lost"),
            410: form.function("shop.handlers:on_gone"),
            Exception: form.function("shop.handlers:on_crash"),
        },
    )
    assert (get(app, "/lost").status_code, get(app, "/lost").text) == (418, "found lost")
    assert (get(app, "/gone").status_code, get(app, "/gone").text) == (410, "handled 410")
    crashed = get(app, "/crash", raise_errors=False)
    assert (crashed.status_code, crashed.text) == (500, "caught crashed")
    with pytest.raises(ZeroDivisionError):
        get(app, "/crash")


def test_a_background_task_runs_after_the_response(form: Form) -> None:
    async def respond(request: Any) -> Any:
        task = form.function(f"shop.endpoints:{request.query_params['task']}")
        return PlainTextResponse("ok", background=BackgroundTask(task, word="sent"))

    app = Starlette(routes=[starlette.routing.Route("/", respond)])
    assert get(app, "/?task=notify").text == "ok"
    assert get(app, "/?task=notify_sync").text == "ok"
    (first, async_thread), (second, sync_thread) = form.modules.load("shop.endpoints:done")
    assert (first, second) == ("sent", "sent")
    assert async_thread == threading.get_ident() != sync_thread


def test_a_lifespan_brackets_the_application(form: Form) -> None:
    app = Starlette(
        middleware=[mark(form, word="app"), form.Middleware(form("shop.middleware:Based"))],
        lifespan=form.function("shop.life:lifespan"),
    )
    assert live(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert form.modules.load("shop.life:events") == ["up", "down"]


@pytest.mark.skipif(
    "on_startup" not in inspect.signature(Router).parameters, reason="this Starlette has no event handlers"
)
@pytest.mark.filterwarnings("ignore:The on_startup:DeprecationWarning")
def test_event_handlers_run_at_start_and_end(form: Form) -> None:
    options: dict[str, Any] = {
        "on_startup": [form.function("shop.life:started")],
        "on_shutdown": [form.function("shop.life:stopped")],
    }
    assert live(Starlette(**options)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert form.modules.load("shop.life:events") == ["started", "stopped"]
