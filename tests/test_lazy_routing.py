"""What only a reference does: nothing is imported before it is needed, and a failure is told in its own words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, NoMatchFound, Router

from hotserve import Middleware, Mount, Route, WebSocketRoute, lazy, reference
from hotserve.errors import AttributeNotFound, ImportFailed, InvalidReference, LoadError, ModuleNotFound, NotCallable
from hotserve.reference import ImportOnce, Lazy
from tests.asgi import Modules, converse, get, live, request, scope_of

USERS = """
    from starlette.responses import PlainTextResponse

    async def index(request):
        return PlainTextResponse("users")
"""


@pytest.fixture
def modules(tmp_path: Path) -> Iterator[Modules]:
    with Modules.importable(tmp_path) as written:
        yield written


class Recording(ImportOnce):
    """Stands in for the hot resolver: counts the attempts, remembers the references and shows failures."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.lazies: list[Lazy] = []

    def declare(self, lazy: Lazy) -> None:
        self.lazies.append(lazy)

    def load(self, lazy: Lazy) -> Any:
        self.loads.append(str(lazy.reference))
        return super().load(lazy)

    def failed(self, lazy: Lazy, error: LoadError) -> Any:
        async def page(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011, "reason": type(error).__name__})
            else:
                await PlainTextResponse(f"page: {error}", status_code=500)(scope, receive, send)

        return page

    def forget(self) -> None:
        for each in self.lazies:
            each.forget()


@pytest.fixture
def recording() -> Iterator[Recording]:
    resolver = Recording()
    reference.use(resolver)
    yield resolver
    reference.use(None)


def replace(modules: Modules, recording: Recording, file: str, source: str) -> None:
    """What an update does: a new version of `file` takes the place of the one that was imported."""
    modules.write(file, source)
    modules.unload()
    recording.forget()


# -- importing ---------------------------------------------------------------------------------------------------------


def test_nothing_is_imported_before_a_request_needs_it(modules: Modules) -> None:
    for name in ("users", "posts", "chat", "admin", "timing", "errors"):
        modules.write(f"lazily/{name}.py", USERS + "\n    class Timing: pass\n")
    routes = [
        Route("/users", "lazily.users:index"),
        Route("/posts", "lazily.posts:index", methods=["POST"], middleware=[Middleware("lazily.timing:Timing")]),
        WebSocketRoute("/chat", "lazily.chat:index"),
        Mount("/admin", "lazily.admin:routes", name="admin"),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware("lazily.timing:Timing")],
        exception_handlers={404: lazy("lazily.errors:x")},
    )
    assert repr(routes) and app.url_path_for("index") == "/users" and routes == list(routes)
    assert routes[0] != Route("/users", "lazily.posts:index") and routes[0] == Route("/users", "lazily.users:index")
    assert live(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert modules.imported() == []


def test_a_reference_is_imported_at_its_first_use_and_no_other_is(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)
    modules.write("lazily/posts.py", USERS)
    app = Starlette(routes=[Route("/users", "lazily.users:index"), Route("/posts", "lazily.posts:index")])
    assert get(app, "/nowhere").status_code == 404
    assert modules.imported() == []
    assert get(app, "/users").text == "users"
    assert modules.imported() == ["lazily", "lazily.users"]


def test_one_load_serves_every_request(modules: Modules, recording: Recording) -> None:
    modules.write("lazily/users.py", USERS)
    app = Starlette(routes=[Route("/users", "lazily.users:index")])
    for method in ("GET", "HEAD", "GET", "POST"):
        request(app, method, "/users")
    assert recording.loads == ["lazily.users:index"]


def test_concurrent_first_requests_import_once(modules: Modules) -> None:
    modules.write("lazily/count.py", "times = []\n")
    modules.write("lazily/users.py", "    from lazily.count import times\n    times.append(1)\n" + USERS)
    app = Starlette(routes=[Route("/users", "lazily.users:index")])

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t", verify=False) as client:
            return await asyncio.gather(*(client.get("/users") for _ in range(20)))

    assert {response.text for response in asyncio.run(all_at_once())} == {"users"}
    assert modules.load("lazily.count:times") == [1]


def test_a_method_that_the_route_does_not_take_imports_nothing_where_another_route_takes_it(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)
    modules.write("lazily/broken.py", "1 / 0\n")
    app = Starlette(
        routes=[
            Route("/users", "lazily.broken:index", methods=["POST"]),
            Route("/users", "lazily.users:index", methods=["GET"]),
        ]
    )
    assert get(app, "/users").text == "users"
    assert modules.imported() == ["lazily", "lazily.users"]


def test_a_route_may_be_given_a_lazy_callable(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)
    route = Route("/users", lazy("lazily.users:index"))
    assert route == Route("/users", "lazily.users:index") and route.name == "index"
    assert get(Starlette(routes=[Mount("/v1", routes=[route])]), "/v1/users").text == "users"
    assert request(Starlette(routes=[route]), "POST", "/users").status_code == 405


def test_a_repr_names_the_reference() -> None:
    assert repr(Route("/", "a.b:c.d")) == "Route(path='/', name='d', endpoint='a.b:c.d')"
    assert (
        repr(Route("/", "a.b:c", methods=["POST"])) == "Route(path='/', name='c', endpoint='a.b:c', methods=['POST'])"
    )
    assert repr(WebSocketRoute("/", "a.b:c")) == "WebSocketRoute(path='/', name='c', endpoint='a.b:c')"
    assert repr(Mount("/m", "a.b:c", name="n")) == "Mount(path='/m', name='n', app='a.b:c')"


def test_an_attribute_that_a_route_does_not_have_is_an_attribute_error() -> None:
    routes: list[Any] = [Route("/", "a.b:c"), WebSocketRoute("/", "a.b:c")]
    for route in [*routes, Route("/", print), WebSocketRoute("/", print)]:
        with pytest.raises(AttributeError, match=f"'{type(route).__name__}' object has no attribute 'nothing'"):
            route.nothing  # noqa: B018


def test_the_endpoint_of_mounted_routes_is_what_serves_them(modules: Modules) -> None:
    modules.write("lazily/admin.py", "routes = []\n")
    mount = Mount("/admin", "lazily.admin:routes")
    _, child_scope = mount.matches(scope_of("http", "/admin/x"))
    assert child_scope["endpoint"] is mount.app


def test_a_route_may_be_subclassed(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)

    class Upper(Route):
        def matches(self, scope: Any) -> Any:
            return super().matches({**scope, "path": scope["path"].lower()})

    class UpperWebSocket(WebSocketRoute):
        def matches(self, scope: Any) -> Any:
            return super().matches({**scope, "path": scope["path"].lower()})

    app = Starlette(routes=[Upper("/users", "lazily.users:index"), UpperWebSocket("/chat", "nowhere:chat")])
    assert get(app, "/USERS").text == "users"
    with pytest.raises(ModuleNotFound):
        converse(app, "/CHAT")


# -- methods of a class ------------------------------------------------------------------------------------------------

CONTROLLER = """
    import functools
    import threading

    from starlette.endpoints import HTTPEndpoint
    from starlette.responses import PlainTextResponse

    made = []

    class Base:
        async def inherited(self, request):
            return PlainTextResponse(f"inherited by {type(self).__name__}")

    class Users(Base):
        def __init__(self):
            made.append((self, threading.get_ident()))

        async def index(self, request):
            return PlainTextResponse(f"{type(self).__name__} {self is made[-1][0]} {threading.get_ident()}")

        def sync(self, request):
            return PlainTextResponse(f"{type(self).__name__} {self is made[-1][0]} {threading.get_ident()}")

        @staticmethod
        async def static(request):
            return PlainTextResponse("static")

        @classmethod
        def cls(cls, request):
            return PlainTextResponse(cls.__name__)

        async def greet(self, greeting, request):
            return PlainTextResponse(greeting)

        hello = functools.partialmethod(greet, "hello")

        class Answering:
            async def __call__(self, scope, receive, send):
                await PlainTextResponse("answering " + scope["method"])(scope, receive, send)

        answering = Answering()

        class Page(HTTPEndpoint):
            async def post(self, request):
                return PlainTextResponse("a page")

        class Nested:
            async def index(self, request):
                return PlainTextResponse("nested")

        async def socket(self, websocket):
            await websocket.accept()
            await websocket.send_text(type(self).__name__)

    users = Users()
"""


def controller(modules: Modules, *names: str) -> Starlette:
    modules.write("lazily/users.py", CONTROLLER)
    return Starlette(routes=[Route(f"/{name}", f"lazily.users:{name}") for name in names])


def test_an_async_method_is_called_on_an_instance_for_each_request(modules: Modules) -> None:
    app = controller(modules, "Users.index")
    me = threading.get_ident()
    assert [get(app, "/Users.index").text for _ in range(2)] == [f"Users True {me}"] * 2
    made = modules.load("lazily.users:made")[1:]  # the first is the module's own
    assert [thread for _, thread in made] == [me, me]
    assert made[0][0] is not made[1][0]


def test_a_sync_method_and_its_instance_are_made_in_a_worker_thread(modules: Modules) -> None:
    app = controller(modules, "Users.sync")
    name, same, thread = get(app, "/Users.sync").text.split()
    assert (name, same) == ("Users", "True")
    assert modules.load("lazily.users:made")[-1][1] == int(thread) != threading.get_ident()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Users.static", "static"),
        ("Users.cls", "Users"),
        ("Users.inherited", "inherited by Users"),
        ("Users.hello", "hello"),
        ("Users.Nested.index", "nested"),
        ("users.inherited", "inherited by Users"),
    ],
)
def test_every_kind_of_method_is_a_function_that_answers_get_and_head(modules: Modules, name: str, text: str) -> None:
    app = controller(modules, name)
    assert get(app, f"/{name}").text == text
    assert request(app, "HEAD", f"/{name}").status_code == 200
    refused = request(app, "POST", f"/{name}")
    assert (refused.status_code, sorted(refused.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])


def test_what_is_no_method_of_its_class_is_served_as_it_is(modules: Modules) -> None:
    app = controller(modules, "Users.answering", "Users.Page")
    assert request(app, "PUT", "/Users.answering").text == "answering PUT"
    assert request(app, "POST", "/Users.Page").text == "a page"


def test_the_endpoint_of_a_method_is_the_method(modules: Modules) -> None:
    route = controller(modules, "Users.index").routes[0]
    assert isinstance(route, Route)
    assert route.name == "index"
    _, child_scope = route.matches(scope_of("http", "/Users.index"))
    assert child_scope["endpoint"] is route.endpoint is modules.load("lazily.users:Users.index")


def test_a_method_serves_a_websocket(modules: Modules) -> None:
    modules.write("lazily/users.py", CONTROLLER)
    app = Starlette(routes=[WebSocketRoute("/", "lazily.users:Users.socket")])
    assert converse(app, "/")[1]["text"] == "Users"


# -- new versions ------------------------------------------------------------------------------------------------------


def test_a_forgotten_reference_serves_the_new_version(modules: Modules, recording: Recording) -> None:
    modules.write("lazily/users.py", USERS)
    app = Starlette(routes=[Route("/users", "lazily.users:index"), Mount("/m", "lazily.users:index")])
    assert get(app, "/users").text == "users"
    replace(modules, recording, "lazily/users.py", USERS.replace('"users"', '"people"'))
    assert get(app, "/users").text == "people"


def test_default_methods_follow_the_version(modules: Modules, recording: Recording) -> None:
    as_class = """
        from starlette.endpoints import HTTPEndpoint
        from starlette.responses import PlainTextResponse

        class index(HTTPEndpoint):
            async def post(self, request):
                return PlainTextResponse("posted")
    """
    modules.write("lazily/users.py", USERS)
    route = Route("/users", "lazily.users:index")
    app = Starlette(routes=[route])
    assert (request(app, "POST", "/users").status_code, route.methods) == (405, {"GET", "HEAD"})
    replace(modules, recording, "lazily/users.py", as_class)
    assert (request(app, "POST", "/users").text, route.methods) == ("posted", None)
    assert get(app, "/users").status_code == 405
    replace(modules, recording, "lazily/users.py", USERS)
    assert (request(app, "POST", "/users").status_code, route.methods) == (405, {"GET", "HEAD"})


def test_a_method_of_a_forgotten_class_is_the_new_classes(modules: Modules, recording: Recording) -> None:
    app = controller(modules, "Users.inherited")
    assert get(app, "/Users.inherited").text == "inherited by Users"
    replace(modules, recording, "lazily/users.py", CONTROLLER.replace("inherited by", "now of"))
    assert get(app, "/Users.inherited").text == "now of Users"


def test_a_forgotten_mount_serves_and_names_the_new_routes(modules: Modules, recording: Recording) -> None:
    admin = """
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        async def page(request):
            return PlainTextResponse("page")

        routes = [Route("/old", page, name="page")]
    """
    modules.write("lazily/admin.py", admin)
    app = Starlette(routes=[Mount("/admin", "lazily.admin:routes", name="admin")])
    assert (get(app, "/admin/old").text, app.url_path_for("admin:page")) == ("page", "/admin/old")
    replace(modules, recording, "lazily/admin.py", admin.replace("/old", "/new"))
    assert (get(app, "/admin/new").text, app.url_path_for("admin:page")) == ("page", "/admin/new")
    assert get(app, "/admin/old").status_code == 404


MARK = """
    from starlette.datastructures import MutableHeaders

    class Mark:
        built = 0

        def __init__(self, app, word):
            self.app = app
            self.word = word
            type(self).built += 1

        async def __call__(self, scope, receive, send):
            async def marked(message):
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).append("x-mark", f"{self.word} v1")
                await send(message)

            await self.app(scope, receive, marked)
"""


def test_a_forgotten_middleware_is_built_anew_around_the_same_application(
    modules: Modules, recording: Recording
) -> None:
    modules.write("lazily/mark.py", MARK)
    modules.write("lazily/users.py", USERS)
    each = Middleware("lazily.mark:Mark", word="a")
    app = Starlette(middleware=[each], routes=[Route("/users", "lazily.users:index", middleware=[each])])
    assert [get(app, "/users").headers.get_list("x-mark") for _ in range(2)] == [["a v1", "a v1"]] * 2
    assert modules.load("lazily.mark:Mark").built == 2  # one for each application that it wraps
    replace(modules, recording, "lazily/mark.py", MARK.replace("v1", "v2"))
    assert get(app, "/users").headers.get_list("x-mark") == ["a v2", "a v2"]


def test_middleware_of_a_route_is_imported_with_its_first_request(modules: Modules) -> None:
    modules.write("lazily/mark.py", MARK)
    modules.write("lazily/users.py", USERS)
    marked = Route("/marked", "lazily.users:index", middleware=[Middleware("lazily.mark:Mark", word="a")])
    app = Starlette(routes=[Route("/users", "lazily.users:index"), marked])
    get(app, "/users")
    assert "lazily.mark" not in modules.imported()
    get(app, "/marked")
    assert "lazily.mark" in modules.imported()


# -- failures ----------------------------------------------------------------------------------------------------------


def failure(app: Any, path: str = "/users", method: str = "GET") -> LoadError:
    with pytest.raises(LoadError) as caught:
        request(app, method, path)
    return caught.value


def test_a_reference_without_a_colon_is_refused_when_the_route_is_made() -> None:
    makers: list[Any] = [lambda text: Route("/", text), lambda text: WebSocketRoute("/", text)]
    makers += [lambda text: Mount("/", text), lambda text: Mount("/", routes=text), Middleware, lazy]
    for make in makers:
        with pytest.raises(InvalidReference, match=r"Did you mean 'lazily\.users:index'\?"):
            make("lazily.users.index")


def test_a_missing_module_is_named_with_the_nearest_one(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)
    error = failure(Starlette(routes=[Route("/users", "lazily.user:index")]))
    assert isinstance(error, ModuleNotFound)
    assert str(error) == (
        "`lazily.user:index` in Route(\"/users\"): no module named 'lazily.user'. "
        f"Did you mean 'lazily.users'? (looked in {modules.folder / 'lazily'})"
    )


def test_an_import_that_fails_inside_the_module_is_told_apart_from_a_missing_module(modules: Modules) -> None:
    file = modules.write("lazily/users.py", "\nimport nowhere_to_be_found\n")
    error = failure(Starlette(routes=[Route("/users", "lazily.users:index")]))
    assert isinstance(error, ImportFailed)
    assert str(error) == (
        f'`lazily.users:index` in Route("/users"): importing lazily.users failed ({file}, line 2): '
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )
    assert (error.reference, error.owner, error.file) == ("lazily.users:index", 'Route("/users")', str(file))


def test_a_missing_attribute_is_named_with_the_file_and_the_nearest_one(modules: Modules) -> None:
    file = modules.write("lazily/users.py", USERS)
    error = failure(Starlette(routes=[Route("/users", "lazily.users:indx")]))
    assert isinstance(error, AttributeNotFound)
    assert str(error) == (
        f"`lazily.users:indx` in Route(\"/users\"): module lazily.users ({file}) has no attribute 'indx'. "
        "Did you mean 'index'?"
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_cannot_be_called_is_refused_by_name(modules: Modules, method: str) -> None:
    file = modules.write("lazily/users.py", "import lazily\nindex = 3\n")
    error = failure(Starlette(routes=[Route("/users", "lazily.users:index")]), method=method)
    assert isinstance(error, NotCallable)
    assert str(error) == (
        f"`lazily.users:index` in Route(\"/users\"): this is of type 'int' and cannot be called ({file})."
    )
    error = failure(Starlette(routes=[Mount("/users", "lazily.users:lazily")]), "/users/")
    assert str(error) == f'`lazily.users:lazily` in Mount("/users"): this is a module and cannot be called ({file}).'


def test_the_owner_of_a_middleware_and_of_a_mount_is_named(modules: Modules) -> None:
    mounted = failure(Starlette(routes=[Mount("/users", "nowhere:app")]), "/users/")
    assert str(mounted).startswith("`nowhere:app` in Mount(\"/users\"): no module named 'nowhere'.")
    wrapped = failure(Starlette(middleware=[Middleware("nowhere:Timing", limit=3)]))
    assert str(wrapped).startswith("`nowhere:Timing` in Middleware(...): no module named 'nowhere'.")


def test_a_load_error_reaches_the_exception_handlers_of_the_application(modules: Modules) -> None:
    async def broken(request: Any, exc: Exception) -> PlainTextResponse:
        assert isinstance(exc, LoadError)
        return PlainTextResponse(f"{exc.reference} {request.path_params}", status_code=503)

    routes: list[BaseRoute] = [
        Route("/a/{id:int}", "nowhere:index"),
        Route("/b/{id}", "nowhere:index", methods=["POST"]),
        Mount("/m/{id}", "nowhere:app"),
    ]
    app = Starlette(routes=routes, exception_handlers={LoadError: broken})
    assert (get(app, "/a/3").status_code, get(app, "/a/3").text) == (503, "nowhere:index {'id': 3}")
    assert request(app, "PUT", "/b/x").text == "nowhere:index {'id': 'x'}"
    assert get(app, "/m/x/y").text == "nowhere:app {'id': 'x'}"


def test_middleware_of_a_route_sees_its_load_error(modules: Modules) -> None:
    seen: list[str] = []

    class Watching:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            except LoadError as error:
                seen.append(error.reference)
                raise

    failure(Starlette(routes=[Route("/users", "nowhere:index", middleware=[Middleware(Watching)])]))
    assert seen == ["nowhere:index"]


def test_a_module_that_failed_is_tried_again_by_the_next_request(modules: Modules) -> None:
    modules.write("lazily/users.py", "1 / 0\n")
    app = Starlette(routes=[Route("/users", "lazily.users:index")])
    assert "line 1): ZeroDivisionError: division by zero" in str(failure(app))
    modules.write("lazily/users.py", USERS)
    assert get(app, "/users").text == "users"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("options", [{}, {"methods": ["GET"]}, {"methods": ["POST"]}])
def test_a_failure_takes_one_attempt_and_shows_its_page(
    modules: Modules, recording: Recording, options: dict[str, Any], method: str
) -> None:
    app = Starlette(routes=[Route("/users", "nowhere:index", **options)])
    page = request(app, method, "/users")
    assert page.status_code == 500
    assert page.text.startswith("page: `nowhere:index` in Route(\"/users\"): no module named 'nowhere'.")
    assert recording.loads == ["nowhere:index"]


def test_a_failing_mount_or_middleware_takes_one_attempt_and_shows_its_page(
    modules: Modules, recording: Recording
) -> None:
    assert get(Starlette(routes=[Mount("/m", "nowhere:app")]), "/m/x").text.startswith("page: `nowhere:app`")
    app = Starlette(middleware=[Middleware("nowhere:Timing")])
    assert live(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert get(app, "/").text.startswith("page: `nowhere:Timing`")
    assert recording.loads == ["nowhere:app", "nowhere:Timing"]


def test_a_failing_websocket_takes_one_attempt_and_is_closed(modules: Modules, recording: Recording) -> None:
    app = Starlette(routes=[WebSocketRoute("/chat", "nowhere:chat")])
    assert converse(app, "/chat") == [{"type": "websocket.close", "code": 1011, "reason": "ModuleNotFound"}]
    assert recording.loads == ["nowhere:chat"]
    reference.use(None)
    with pytest.raises(ModuleNotFound):
        converse(app, "/chat")


def test_the_failure_of_a_route_is_not_that_of_its_middleware(modules: Modules, recording: Recording) -> None:
    modules.write("lazily/mark.py", MARK)
    route = Route("/users", "nowhere:index", middleware=[Middleware("lazily.mark:Mark", word="a")])
    page = get(Starlette(routes=[route]), "/users")
    assert page.text.startswith("page: `nowhere:index`")
    assert page.headers.get_list("x-mark") == ["a v1"]
    assert recording.loads == ["nowhere:index", "lazily.mark:Mark"]


def test_other_routes_go_on_beside_a_broken_one(modules: Modules) -> None:
    modules.write("lazily/users.py", USERS)
    modules.write("lazily/broken.py", "def (:\n")
    app = Starlette(
        routes=[
            Route("/broken", "lazily.broken:index"),
            Mount("/sub", "lazily.broken:routes"),
            Mount("/named", "lazily.broken:routes", name="named"),
            Route("/users", "lazily.users:index", name="users"),
        ]
    )
    assert get(app, "/users").text == "users"
    # Names are looked for in a mount that has none: a broken one must not hide the others.
    assert app.url_path_for("users") == "/users"
    with pytest.raises(NoMatchFound):
        Router([Mount("/sub", "lazily.broken:routes")]).url_path_for("nobody")
    with pytest.raises(ImportFailed):
        app.url_path_for("named:index")
