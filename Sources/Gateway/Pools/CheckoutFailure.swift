import AuthProviders
import PGWire
import Pooling

/// Why a client gets no server. The texts are for the client.
enum CheckoutFailure: Error, Sendable {
    /// - Parameter openFailure: why the last attempt to open a server has failed, if it has.
    case waitTimeout(Microseconds, openFailure: String?)
    /// PostgreSQL's own words.
    case server(ServerMessageFields)
    case connect(String)
    case login(String)
    case poolRemoved
    case shuttingDown

    var fields: ServerMessageFields {
        switch self {
        case .waitTimeout(let timeout, let openFailure):
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .tooManyConnections,
                message: "query_wait_timeout: no server connection became free within \(timeout / 1000) ms",
                detail: openFailure.map { "The last attempt to open another one failed: \($0)" }
            )
        case .server(let fields):
            var own = fields
            own.set(UInt8(ascii: "S"), to: "FATAL")
            own.set(UInt8(ascii: "V"), to: "FATAL")
            return own
        case .connect(let text):
            return ServerMessageFields(severity: .fatal, sqlState: .connectionFailure, message: text)
        case .login(let text):
            return ServerMessageFields(severity: .fatal, sqlState: .connectionFailure, message: text)
        case .poolRemoved:
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .adminShutdown,
                message: "the pool of this session has left the settings"
            )
        case .shuttingDown:
            return ServerMessageFields(
                severity: .fatal,
                sqlState: .adminShutdown,
                message: "terminating connection due to administrator command"
            )
        }
    }
}

extension CheckoutFailure {
    /// Why a login ends that needed a server.
    var reason: AuthFailure.Reason {
        switch self {
        case .server: .serverRefused
        case .shuttingDown: .shuttingDown
        case .waitTimeout, .connect, .login, .poolRemoved: .serverUnavailable
        }
    }
}
