import AuthProviders
import HBA
import Logging
import PGWire
import Reactor
import Sessions
import Synchronization

/// From the StartupMessage to the proof: policy, then the provider. Most logins wait for nobody but the client and are
/// played right where its messages arrive; a provider that has to wait for something else gets a task on the worker's
/// own executor. Whatever a login waits for ends when the client leaves or the login deadline passes.
extension ClientConnection {
    func beginLogin(version: ProtocolVersion) {
        let login = LoginState(version: version)
        self.phase = .login
        self.login = login
        self.pauseReading()
        self.decide(login, facts: self.gateway.lookups.facts(for: self.home.snapshot))
    }

    /// Asks the policy; what it has to know beyond the question is looked up first.
    private func decide(_ login: LoginState, facts: HBAFacts) {
        let snapshot = self.home.snapshot
        let question = self.policyQuestion
        var facts = facts
        do throws(AuthFailure) {
            while true {
                switch snapshot.decide(question, facts: facts) {
                case .decided(let decided):
                    try self.ruleDecided(decided, login: login, of: snapshot)
                    return
                case .noMatch:
                    throw self.notPermitted()
                case .undecidable(let rule, let reason):
                    throw .policyUndecidable(log: "\(rule.file):\(rule.line) cannot be decided: \(reason)")
                case .needs(let need):
                    let subject = PolicyLookups.Subject(question: question, address: self.peer)
                    guard self.gateway.lookups.complete(&facts, with: need, about: subject) else {
                        self.lookUp(need, about: subject, facts: facts, login: login)
                        return
                    }
                }
            }
        } catch {
            self.loginFailed(error, login: login)
        }
    }

    /// Decides again once the answer is there. The answer comes in bounded time.
    private func lookUp(_ need: HBANeed, about subject: PolicyLookups.Subject, facts: HBAFacts, login: LoginState) {
        login.stage = .lookingUp
        Task(executorPreference: self.home.worker) {
            let worker = self.home.worker
            let facts = await self.gateway.lookups.completed(facts, with: need, about: subject, on: worker)
            // The client may have left, or have been told that its time is over.
            guard self.login === login else { return }
            login.stage = .deciding
            self.decide(login, facts: facts)
        }
    }

    private func ruleDecided(
        _ decided: Snapshot.DecidedRule,
        login: LoginState,
        of snapshot: Snapshot
    ) throws(AuthFailure) {
        login.decided = decided
        decided.use.note(now: WallClock.now)
        let attempt = LoginAttempt(
            user: self.user,
            database: self.database,
            peer: PeerNumbers.texts(of: self.peer),
            isLocal: !self.peer.isTCP,
            isTLS: self.isSecured,
            peerUserID: self.peer.isTCP ? nil : self.peerUserID,
            channelBinding: self.tls?.endpointBinding,
            certificate: self.tls?.clientCertificate,
            rule: decided.attemptRule
        )
        if let certificate = decided.certificate, try !certificate.checkAtHand(attempt) {
            self.askMap(certificate, attempt, login: login, of: snapshot)
            return
        }
        try self.startProof(attempt, login: login, under: decided, of: snapshot)
    }

    func startProof(
        _ attempt: LoginAttempt,
        login: LoginState,
        under decided: Snapshot.DecidedRule,
        of snapshot: Snapshot
    ) throws(AuthFailure) {
        // In two calls: a choice between two providers would copy one.
        let providers = snapshot.userProviders
        if !providers.isEmpty,
            let own = providers.provider(
                method: decided.attemptRule.method, user: self.user, database: self.database)
        {
            try self.startProof(attempt, login: login, with: own)
        } else {
            try self.startProof(attempt, login: login, with: decided.provider)
        }
    }

    private func startProof(
        _ attempt: LoginAttempt,
        login: LoginState,
        with provider: any AuthProvider
    ) throws(AuthFailure) {
        self.provingBegins(login, by: provider)
        login.asksForSecret = provider.asksForSecret
        switch try provider.begin(attempt) {
        case .admitted(let identity): try self.admit(identity, login: login)
        case .exchange(var exchange):
            let step = try exchange.start()
            login.play(exchange)
            try self.advance(step, login: login)
        case nil:
            login.stage = .task
            login.proof = Task(executorPreference: self.home.worker) {
                await self.prove(attempt, to: provider, login: login)
            }
        }
    }

    private func prove(_ attempt: LoginAttempt, to provider: any AuthProvider, login: LoginState) async {
        do throws(AuthFailure) {
            let identity = try await provider.authenticate(attempt, over: LoginDialogue(client: self))
            if let reason = login.endReason { throw reason }
            try self.admit(identity, login: login)
        } catch {
            // What ended the login tells more than that it ended; a proof that has failed counts as such all the same.
            self.loginFailed(error.reason == .clientLeft ? login.endReason ?? error : error, login: login)
        }
    }

    private var policyQuestion: HBAQuestion {
        let origin: HBAQuestion.Origin
        if let address = self.peerAddress { origin = .tcp(address, isTLS: self.isSecured) } else { origin = .local }
        return HBAQuestion(origin: origin, database: self.database, user: self.user)
    }

    private func notPermitted() -> AuthFailure {
        .notPermitted(
            user: self.user,
            database: self.database,
            // Without its port, as PostgreSQL names it in messages.
            peerAddress: self.peerAddress?.description ?? "[local]",
            isTLS: self.isSecured,
            reason: .noRuleMatches,
            log: "no pg_hba rule matches"
        )
    }

    private var peerAddress: IPAddress? { IPAddress(self.peer.bits) }

    func loginFailed(_ failure: AuthFailure, login: LoginState) {
        self.reportFailure(failure, login: login)
        if self.holdBack(failure, login: login) { return }
        guard self.isOpen, self.phase == .login else { return }
        self.giveUpWait(in: login.pool)
        self.login = nil
        if failure.reason == .clientLeft {
            self.finish()
        } else {
            self.leave(with: failure.fields, logging: nil)
        }
    }

    private func reportFailure(_ failure: AuthFailure, login: LoginState) {
        guard !login.isReported else { return }
        login.isReported = true
        self.gateway.statistics.loginFailures.add(1, ordering: .relaxed)
        self.refuted(failure, login: login)
        self.auditRefused(failure, login: login)
        if login.asksForSecret {
            self.gateway.authQueries.noteFailure(failure, user: self.user, database: self.database)
        }
        self.log.warning(
            "login failed",
            metadata: self.logMetadata([
                "rule": .string(login.rule), "reason": .string(failure.logText),
                "code": .string(failure.reason.rawValue),
            ])
        )
    }

    // MARK: While the login runs

    /// Does what the exchange wants next.
    private func advance(_ step: LoginStep, login: LoginState) throws(AuthFailure) {
        switch step {
        case .ask(let question):
            login.asked = question
            self.ask(question, login: login)
        case .wait(let body):
            Task(executorPreference: self.home.worker) { self.loginAnswerCame(await body(), login: login) }
        case .admit(let identity, let saslFinal):
            login.dropExchange()
            if let saslFinal {
                var writer = MessageWriter(reservingCapacity: 128)
                writer.authenticationSASLFinal(saslFinal)
                login.unsent = writer.bytes
            }
            try self.admit(identity, login: login)
        }
    }

    /// Takes exactly the message the provider waits for; everything else stays where it is until the login is done.
    func loginReceived(_ bytes: Span<UInt8>) -> Int {
        guard let login = self.login, login.awaitsMessage else {
            self.pauseReading()
            return 0
        }
        guard let header = MessageHeader.read(bytes, at: 0) else { return 0 }
        guard header.kind == FrontendMessageKind.password, header.isValid,
            header.bodyLength <= LoginDialogue.messageLimit
        else {
            let text = "expected password response, got message type \(header.kind)"
            if login.stage == .exchange {
                self.end(login, with: .protocolViolation(text))
            } else {
                login.deliverMessage(.failure(.protocolViolation(text)))
            }
            return bytes.count
        }
        guard bytes.count >= header.wireLength else { return 0 }
        let body = [UInt8](copying: bytes.extracting(MessageHeader.size..<header.wireLength))
        self.pauseReading()
        if login.stage == .exchange {
            self.loginMessageCame(body, login: login)
        } else {
            login.deliverMessage(.success(body))
        }
        return header.wireLength
    }

    private func loginMessageCame(_ body: consuming [UInt8], login: LoginState) {
        guard let question = login.asked else { return }
        login.asked = nil
        do throws(AuthFailure) {
            self.loginAnswerCame(try question.answer(from: body), login: login)
        } catch {
            self.end(login, with: error)
        }
    }

    /// Who has gone while the exchange waited is not let in; that the proof has failed counts all the same.
    private func loginAnswerCame(_ answer: LoginAnswer, login: LoginState) {
        do throws(AuthFailure) {
            guard let step = try login.receive(answer) else { return }
            if let reason = login.endReason { throw reason }
            try self.advance(step, login: login)
        } catch {
            self.end(login, with: error)
        }
    }

    private func end(_ login: LoginState, with failure: AuthFailure) {
        login.dropExchange()
        login.asked = nil
        self.loginFailed(failure, login: login)
    }

    func loginTimedOut() {
        guard let login = self.login, !self.endHold(login) else { return }
        let failure = AuthFailure.deadlinePassed(log: "client_login_timeout")
        if login.endsAtOnce {
            self.end(login, with: failure)
        } else {
            login.end(with: failure)
            // What waits for a secret source learns of it later: the client does not have to wait for that.
            self.loginFailed(failure, login: login)
        }
    }

    /// The client is on its way out: whatever its login waits for ends.
    func abandonLogin() {
        guard let login = self.login else { return }
        self.login = nil
        self.dropHold(login)
        let failure = login.endReason ?? (self.mustLeave ? AuthFailure.shuttingDown() : .clientLeft())
        if login.endsAtOnce {
            login.dropExchange()
            self.reportFailure(failure, login: login)
        } else {
            login.end(with: failure)
        }
    }
}
