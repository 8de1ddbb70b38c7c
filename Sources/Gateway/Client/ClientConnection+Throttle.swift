import AuthProviders
import PGWire
import Reactor
import Sessions

/// What a login waits for because proofs have failed before it.
enum LoginHold {
    /// The first question to the client.
    case challenge(LoginQuestion)
    /// The answer to a failed proof; the login is over.
    case answer(AuthFailure)
}

/// Guessing is slowed: see `FailureThrottle` for the rules. Whoever is held back has nothing but its deadline: no
/// thread, no lock, and a place in a bounded number of them.
extension ClientConnection {
    /// Asks the client, now or when the delay of its last failure is over.
    func ask(_ question: LoginQuestion, login: LoginState) {
        let isFirst = !login.isChallenged
        login.isChallenged = true
        let (throttle, now) = (self.gateway.throttle, self.home.worker.now)
        if isFirst, !throttle.isQuiet(now: now), self.home.snapshot.authFailureDelay > 0,
            let moment = throttle.challengeHeldUntil(self.loginOrigin, user: self.user, now: now),
            self.hold(.challenge(question), until: moment, login: login)
        {
            return
        }
        if isFirst { login.provingSince = MonotonicClock.now() }
        self.send(question.encoded)
        self.resumeReading()
    }

    /// The client has proved who it is: its own failures are forgotten.
    func throttleProved(_ login: LoginState) {
        let now = self.home.worker.now
        guard login.isChallenged, !self.gateway.throttle.isQuiet(now: now) else { return }
        self.gateway.throttle.succeeded(self.loginOrigin, user: self.user, now: now)
    }

    /// Counts a failed proof. True when its answer is held back: then the login is left as it is.
    func holdBack(_ failure: AuthFailure, login: LoginState) -> Bool {
        let base = self.home.snapshot.authFailureDelay
        guard base > 0, failure.reason.isFailedProof else { return false }
        let now = self.home.worker.now
        // Counted also when the client has not waited for the answer.
        let moment = self.gateway.throttle.failed(self.loginOrigin, user: self.user, base: base, now: now)
        return self.hold(.answer(failure), until: moment, login: login)
    }

    /// The deadline of a client in its login has passed. False when it was not held back, or is late for its login.
    func endHold(_ login: LoginState) -> Bool {
        guard let hold = login.hold else { return false }
        self.dropHold(login)
        switch hold {
        case .answer(let failure):
            self.login = nil
            self.leave(with: failure.fields, logging: nil)
            return true
        case .challenge(let question):
            let deadline = self.loginDeadline
            guard self.home.worker.now < deadline else { return false }
            self.setDeadline(deadline)
            login.provingSince = MonotonicClock.now()
            self.send(question.encoded)
            self.resumeReading()
            return true
        }
    }

    /// The client is on its way out.
    func dropHold(_ login: LoginState) {
        guard login.hold != nil else { return }
        login.hold = nil
        self.gateway.throttle.givePlaceBack()
    }

    private func hold(_ hold: LoginHold, until moment: MonotonicMicroseconds, login: LoginState) -> Bool {
        guard self.isOpen, self.phase == .login, login.hold == nil,
            self.gateway.throttle.takePlace(of: self.home.snapshot.maxConnections)
        else { return false }
        login.hold = hold
        if self.hasPeerHungUp {
            // Its end came together with its last message: nobody will tell again.
            self.vanished("client closed the connection")
            return true
        }
        self.pauseReading()
        self.setDeadline(min(moment, self.loginDeadline))
        return true
    }

    private var loginDeadline: MonotonicMicroseconds {
        let timeout = self.home.snapshot.loginTimeout
        return timeout > 0 ? self.connectedAt + timeout : .max
    }

    private var loginOrigin: LoginOrigin {
        switch self.peer.bits {
        case .local: .local(user: self.user)
        case .v4(let bits): .v4(bits)
        case .v6(let high, _): .v6(high: high)
        }
    }
}
