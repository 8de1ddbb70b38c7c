import AuthProviders
import HBA
import Reactor

/// Rules that ask whose certificate a client shows (`clientcert`, method `cert`), where a map has to be asked.
extension ClientConnection {
    /// The owner of the client's certificate has to be mapped to the user before the method begins.
    func askMap(
        _ certificate: CertificateDemand,
        _ attempt: LoginAttempt,
        login: LoginState,
        of snapshot: Snapshot
    ) {
        login.stage = .lookingUp
        Task(executorPreference: self.home.worker) {
            let failure = await Self.failure(of: attempt, by: certificate)
            // The client may have left, or have been told that its time is over.
            guard self.login === login, let decided = login.decided else { return }
            login.stage = .deciding
            do throws(AuthFailure) {
                if let failure { throw failure }
                try self.startProof(attempt, login: login, under: decided, of: snapshot)
            } catch {
                self.loginFailed(error, login: login)
            }
        }
    }

    private static func failure(of attempt: LoginAttempt, by certificate: CertificateDemand) async -> AuthFailure? {
        do throws(AuthFailure) {
            try await certificate.check(attempt)
            return nil
        } catch {
            return error
        }
    }
}
