"""hotserve: the development server in which saving a file costs milliseconds.

What an application imports is here, and none of it needs the server:

    from hotserve import Route

    routes = [Route("/users", "controllers.users:index")]
"""

from hotserve.callables import lazy
from hotserve.hot import hot
from hotserve.middleware import Middleware
from hotserve.routing import Mount, Route, WebSocketRoute

__version__ = "0.1.0"

__all__ = ["Middleware", "Mount", "Route", "WebSocketRoute", "hot", "lazy"]
