import AuthProviders
import Sessions

/// What the secrets of most listed users look like to a client that logs in: users who do not exist look the same.
/// Other users, with rarer secrets, can still be told from them. A value.
struct UsualSecret: Sendable {
    /// What a rule `md5` plays.
    let exchange: AuthServices.UnknownUserExchange
    /// Rounds that a SCRAM exchange shows.
    let iterations: Int

    /// Users without a secret do not count. Of kinds equally frequent it is SCRAM; of counts of rounds PostgreSQL's
    /// default, else the lowest.
    init(of secrets: some Sequence<StoredSecret>) {
        var md5Count = 0
        var scramCount = 0
        var users: [Int: Int] = [:]
        for secret in secrets {
            switch secret.kind {
            case .md5: md5Count += 1
            case .scram(let verifier):
                scramCount += 1
                users[verifier.iterations, default: 0] += 1
            case .empty: break
            }
        }
        self.exchange = md5Count > scramCount ? .md5 : .scramSHA256
        let most = users.values.max() ?? 0
        let candidates = users.filter { $0.value == most }.keys
        let standard = MockAuthentication.defaultIterations
        self.iterations = candidates.contains(standard) ? standard : candidates.min() ?? standard
    }
}
