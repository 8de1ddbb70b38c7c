/// The providers of this process by the method words of hba rules.
///
/// A value: built once at start and copied from then on; the hba parser asks it which methods exist, the settings
/// loader makes providers with it.
public struct AuthProviderRegistry: Sendable {
    private var providers: [String: any AuthProvider.Type] = [:]

    /// All known method words in the order of registration.
    public private(set) var hbaMethods: [String] = []

    /// All providers in the order of registration.
    public private(set) var registered: [any AuthProvider.Type] = []

    /// A registry without providers; `standard()` has the built-in ones.
    public init() {}

    /// Adds a provider. Refuses a type without methods, a word that no hba file can contain, and a word that is taken;
    /// then the registry stays as it was.
    public mutating func register(_ provider: any AuthProvider.Type) throws(AuthConfigurationError) {
        let words = provider.hbaMethods
        guard !words.isEmpty else { throw .providerWithoutMethods(provider: "\(provider)") }
        for (index, word) in words.enumerated() {
            guard Self.isWord(word) else { throw .invalidMethodName(word) }
            guard self.providers[word] == nil, !words[..<index].contains(word) else { throw .duplicateMethod(word) }
        }
        for word in words {
            self.providers[word] = provider
        }
        self.hbaMethods += words
        self.registered.append(provider)
    }

    /// Makes the provider for one hba rule.
    public func makeProvider(
        options: MethodOptions,
        services: AuthServices
    ) throws(AuthConfigurationError) -> any AuthProvider {
        guard let provider = self.providers[options.method] else { throw .unknownMethod(options.method) }
        return try provider.init(options: options, services: services)
    }

    /// The methods that take the option `map=`.
    public var mapMethods: [String] { self.hbaMethods.filter { self.providers[$0]?.takesMap == true } }

    /// Lower-case letters, digits, `-` and `_`, beginning with a letter.
    private static func isWord(_ word: String) -> Bool {
        guard let first = word.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}

extension AuthProviderRegistry {
    /// The providers that come with the gateway, one line each.
    public static func standard() throws(AuthConfigurationError) -> AuthProviderRegistry {
        var registry = AuthProviderRegistry()
        try registry.register(TrustProvider.self)
        try registry.register(RejectProvider.self)
        try registry.register(SCRAMProvider.self)
        try registry.register(MD5Provider.self)
        try registry.register(CleartextPasswordProvider.self)
        try registry.register(PeerProvider.self)
        try registry.register(CertificateProvider.self)
        try registry.register(PAMProvider.self)
        try registry.register(LDAPProvider.self)
        try registry.register(JWTProvider.self)
        try registry.register(TalosProvider.self)
        return registry
    }
}
