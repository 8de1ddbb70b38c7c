import Sessions

/// A token in compact form (RFC 7515 section 3.1), taken apart and not yet believed. A value.
struct SignedToken: Sendable {
    let algorithm: TokenAlgorithm
    let keyID: String?
    /// The claims; to be believed once a key has said so.
    let claims: JSONValue
    /// The whole text and a NUL.
    private var text: [UInt8]
    private let signedLength: Int
    private let signature: [UInt8]

    /// Bytes of a token at most; what a password message can hold.
    static let sizeMax = 64 * 1024

    /// Throws the reason for the log, which holds nothing of the token but words of its header.
    init(parsing bytes: [UInt8]) throws(TokenRefusal) {
        guard !bytes.isEmpty else { throw TokenRefusal("the token is empty") }
        guard bytes.count <= Self.sizeMax else { throw TokenRefusal("the token is too long") }
        // Whatever is not base64url to the letter ends here: libjwt is not safe with it.
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let head = Base64URL.decode(parts[0]), let body = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2])
        else { throw TokenRefusal("it is no token: not three parts in base64url") }
        guard let header = JSONValue(parsing: head), header.members != nil else {
            throw TokenRefusal("the token's header is no JSON object")
        }
        guard let name = header["alg"]?.string, let algorithm = TokenAlgorithm(rawValue: name) else {
            throw TokenRefusal("the token's algorithm is none that is admitted")
        }
        // RFC 7515 section 4.1.11: whoever does not know an extension named here has to refuse.
        guard header["crit"] == nil else { throw TokenRefusal("the token's header has `crit`") }
        if let type = header["typ"] {
            guard let type = type.string, type.lowercased() == "jwt" else {
                throw TokenRefusal("the token's type is not JWT")
            }
        }
        if let id = header["kid"], id.string == nil { throw TokenRefusal("the token's key id is no text") }
        guard let claims = JSONValue(parsing: body), claims.members != nil else {
            throw TokenRefusal("the token's claims are no JSON object, or name something twice")
        }
        guard !signature.isEmpty else { throw TokenRefusal("the token is not signed") }
        self.algorithm = algorithm
        self.keyID = header["kid"]?.string
        self.claims = claims
        self.text = bytes + [0]
        self.signedLength = parts[0].count + 1 + parts[1].count
        self.signature = signature
    }

    /// Writes zeros over the text.
    mutating func wipe() {
        self.text.wipe()
    }

    func isSigned(by key: TokenKey) -> Bool {
        key.verifies(self.text, signedLength: self.signedLength, signature: self.signature, self.algorithm)
    }
}

/// Why a token does not hold: for the log alone.
struct TokenRefusal: Error, Sendable, Equatable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// The keys that tokens of one rule are checked with. Immutable.
struct TokenKeys: Sendable {
    let keys: [TokenKey]

    /// A token with a key id is checked by the keys of that name, or by those that have none; one without is tried with
    /// every key of its kind. The algorithm has to be one of the key's.
    func check(_ token: SignedToken) throws(TokenRefusal) {
        let named = token.keyID.map { id in self.keys.filter { $0.id?.utf8.elementsEqual(id.utf8) == true } } ?? []
        let candidates: [TokenKey]
        if !named.isEmpty {
            candidates = named
        } else if token.keyID != nil {
            candidates = self.keys.filter { $0.id == nil }
        } else {
            candidates = self.keys
        }
        guard !candidates.isEmpty else { throw TokenRefusal("no key has the token's key id") }
        let fitting = candidates.filter { $0.admits(token.algorithm) }
        guard !fitting.isEmpty else {
            throw TokenRefusal("no key is for the token's algorithm \(token.algorithm.rawValue)")
        }
        guard fitting.contains(where: { token.isSigned(by: $0) }) else {
            throw TokenRefusal("the token's signature is wrong")
        }
    }
}
