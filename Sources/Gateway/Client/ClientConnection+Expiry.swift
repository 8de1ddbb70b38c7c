import AuthProviders
import PGWire
import Pooling
import Reactor
import Sessions

/// When a session has to end because its proof does not hold any longer. Belongs to the client's worker.
final class SessionExpiry {
    let end: AuthenticatedIdentity.End

    init(_ end: AuthenticatedIdentity.End) { self.end = end }

    /// Microseconds since 1970 at which even a transaction ends.
    var last: Int64 {
        let (sum, overflow) = self.end.at.addingReportingOverflow(self.end.grace.microseconds)
        return overflow ? .max : sum
    }
}

/// The life of a token. The connection's one deadline, which is free once the client is logged in, counts it; messages
/// know nothing of it.
extension ClientConnection {
    /// The end is a moment of the wall clock, which may be set: it is looked at again after so long at the latest.
    private static let expiryNap: Microseconds = 300_000_000

    /// The client is logged in.
    func beginExpiry(_ identity: AuthenticatedIdentity?) {
        guard let end = identity?.end else { return }
        self.expiry = SessionExpiry(end)
        self.awaitExpiry(until: end.at)
    }

    private func awaitExpiry(until moment: Int64) {
        let left = moment.subtractingReportingOverflow(WallClock.now)
        let nap = left.overflow ? Self.expiryNap : min(max(left.partialValue, 0), Self.expiryNap)
        self.setDeadline(self.home.worker.now + nap)
    }

    /// The deadline of a client that is logged in has passed.
    func expiryDue() {
        guard let expiry = self.expiry else { return }
        let now = WallClock.now
        guard now >= expiry.end.at else {
            self.awaitExpiry(until: expiry.end.at)
            return
        }
        guard now < expiry.last else {
            self.mustLeave = true
            self.leaveAsTold()
            return
        }
        self.askToLeave()
        if self.isOpen, self.phase != .closing { self.awaitExpiry(until: expiry.last) }
    }

    /// Says why the client has to leave, and lets it go.
    func leaveAsTold() {
        guard let expiry = self.expiry, WallClock.now >= expiry.end.at else {
            self.leave(with: CheckoutFailure.shuttingDown.fields, logging: "shutdown")
            return
        }
        self.leave(
            with: .fatal(.adminShutdown, "terminating connection because its token has expired"),
            logging: "token expired"
        )
    }
}
