/// Why the providers and rules of a configuration do not fit together. Found when settings load, never at login.
public enum AuthConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Two providers, or one twice, claim the same method word.
    case duplicateMethod(String)
    /// No hba file can contain the word.
    case invalidMethodName(String)
    /// No rule could ever name the provider.
    case providerWithoutMethods(provider: String)
    /// A rule names a method that no provider has.
    case unknownMethod(String)
    /// A rule gives the same option twice.
    case duplicateOption(method: String, name: String)
    /// A rule gives an option that the method does not have.
    case unknownOption(method: String, name: String)
    /// A rule leaves out an option that the method cannot do without.
    case missingOption(method: String, name: String)
    /// The text says what is wrong with the value; it must not contain secrets.
    case invalidOption(method: String, name: String, reason: String)
    /// A file that a setting names cannot be used; the text names the file and repeats nothing of it.
    case unusableFile(String)

    public var description: String {
        switch self {
        case .duplicateMethod(let word):
            "authentication method \"\(word)\" is registered twice"
        case .invalidMethodName(let word):
            "\"\(word)\" cannot be the name of an authentication method"
        case .providerWithoutMethods(let provider):
            "authentication provider \(provider) has no method names"
        case .unknownMethod(let word):
            "unknown authentication method \"\(word)\""
        case .duplicateOption(let method, let name):
            "option \"\(name)\" of authentication method \"\(method)\" is given twice"
        case .unknownOption(let method, let name):
            "authentication method \"\(method)\" has no option \"\(name)\""
        case .missingOption(let method, let name):
            "authentication method \"\(method)\" needs option \"\(name)\""
        case .invalidOption(let method, let name, let reason):
            "option \"\(name)\" of authentication method \"\(method)\": \(reason)"
        case .unusableFile(let text):
            text
        }
    }
}
