/// What the registered claims of a token have to say (RFC 7519 section 4.1). Immutable.
struct TokenRules: Sendable {
    /// `iss` has to be this; nil asks for nothing.
    var issuer: String?
    /// `aud` has to be, or to have among others, one of these; empty asks for nothing.
    var audiences: [String] = []
    /// How far the clocks of gateway and issuer may be apart, in seconds.
    var leeway = Self.leewayDefault

    static let leewayDefault = 30.0
    static let leewayMax = 3600.0

    /// Seconds since 1970 beyond which no moment is believed (the year 9999).
    private static let latest = 253_402_300_799.0

    /// Returns the moment from which the token does not hold any more, the leeway included, in seconds since 1970.
    func check(_ claims: JSONValue, now: Double) throws(TokenRefusal) -> Double {
        guard let expiry = try Self.moment("exp", claims) else { throw TokenRefusal("the token has no `exp`") }
        guard now < expiry + self.leeway else { throw TokenRefusal("the token has expired") }
        if let start = try Self.moment("nbf", claims), now + self.leeway < start {
            throw TokenRefusal("the token is not valid yet (`nbf`)")
        }
        if let issued = try Self.moment("iat", claims), now + self.leeway < issued {
            throw TokenRefusal("the token was issued in the future (`iat`)")
        }
        if let issuer = self.issuer {
            guard claims["iss"]?.string?.utf8.elementsEqual(issuer.utf8) == true else {
                throw TokenRefusal("the token is of another issuer (`iss`)")
            }
        }
        try self.checkAudience(claims["aud"])
        return expiry + self.leeway
    }

    private func checkAudience(_ claim: JSONValue?) throws(TokenRefusal) {
        guard !self.audiences.isEmpty else { return }
        let named: [String]
        switch claim {
        case .string(let one): named = [one]
        case .array(let several): named = several.compactMap(\.string)
        default: named = []
        }
        let isMeant = named.contains { name in self.audiences.contains { $0.utf8.elementsEqual(name.utf8) } }
        guard isMeant else { throw TokenRefusal("the token is for another audience (`aud`)") }
    }

    private static func moment(_ name: String, _ claims: JSONValue) throws(TokenRefusal) -> Double? {
        guard let claim = claims[name] else { return nil }
        guard let moment = claim.number, (0...Self.latest).contains(moment) else {
            throw TokenRefusal("the token's `\(name)` is no moment")
        }
        return moment
    }
}
