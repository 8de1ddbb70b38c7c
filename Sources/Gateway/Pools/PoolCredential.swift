import Sessions

/// What opens the servers of a pool: from the settings at first, then from logins. A value, under its pool's lock.
struct PoolCredential {
    private(set) var current: ServerCredential
    /// It fits the user's stored secret, and no server has refused it since.
    private var isSure: Bool
    /// The one before, or a password that somebody else has checked (LDAP, PAM) and that may be another than the
    /// server's: tried when `current` is refused.
    private var spare: ServerCredential?
    /// What `current` has taken the place of, until a server has been opened with it.
    private var replaced: ServerCredential?
    /// Which of the credentials that the pool has had.
    private(set) var number = 0
    /// Credentials that were refused since a server was opened.
    private var refusals = 0
    /// The number of the last of them.
    private var lastRefused = -1
    /// Where every login brings another password that no server takes, somebody has to be told.
    private static let refusalsMax = 2

    init(_ credential: ServerCredential, isSure: Bool) {
        self.current = credential
        self.isSure = isSure
    }

    var isMissing: Bool {
        if case .none = self.current { return true }
        return false
    }

    /// A login has proven it.
    ///
    /// - Parameter isSure: it was checked against the user's stored secret.
    mutating func learn(_ credential: ServerCredential, isSure: Bool) {
        switch credential {
        case .none, .made: return
        case .cleartext, .md5Hash, .scramKeys: break
        }
        if Self.areSame(credential, self.current) {
            // Learnt again it is not another one: what a server has refused, it will refuse.
            self.isSure = self.isSure || isSure
        } else if self.isSure, !isSure {
            self.spare = credential
        } else {
            let last = self.isMissing ? nil : self.current
            self.put(credential, isSure: isSure)
            self.spare = last
        }
    }

    private static func areSame(_ one: ServerCredential, _ other: ServerCredential) -> Bool {
        switch (one, other) {
        case (.cleartext(let left), .cleartext(let right)), (.md5Hash(let left), .md5Hash(let right)): left == right
        case (.scramKeys(let left), .scramKeys(let right)): left == right
        default: false
        }
    }

    /// A server has refused one, or asks for something that it does not answer.
    ///
    /// - Returns: true where there is another by now: whoever waits for a server may get it.
    mutating func refused(_ number: Int) -> Bool {
        if number > self.lastRefused {
            self.lastRefused = number
            self.refusals += 1
        }
        if number == self.number, !self.takeSpare() { return false }
        return self.refusals <= Self.refusalsMax
    }

    /// The spare takes its turn. Where that is refused as well, the server may have refused everybody, and what was
    /// there at first comes back.
    private mutating func takeSpare() -> Bool {
        let refused = self.current
        if let spare {
            self.put(spare, isSure: false)
            self.replaced = refused
            return true
        }
        // Whatever the next login brings may do better.
        self.isSure = false
        if let replaced {
            self.put(replaced, isSure: false)
            self.spare = refused
        }
        return false
    }

    /// A server has been opened.
    mutating func opened() {
        self.refusals = 0
        self.replaced = nil
    }

    /// Those that the pool before it has come to.
    mutating func inherit(from old: PoolCredential) {
        guard !old.isMissing else { return }
        self.put(old.current, isSure: old.isSure)
        self.spare = old.spare
    }

    private mutating func put(_ credential: ServerCredential, isSure: Bool) {
        self.current = credential
        self.isSure = isSure
        self.spare = nil
        self.replaced = nil
        self.number += 1
    }
}
