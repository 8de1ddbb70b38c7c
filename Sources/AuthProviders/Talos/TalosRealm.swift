/// Who signs Talos tokens, and which databases take them: the settings table `talos`. Immutable.
public struct TalosRealm: Sendable {
    let keys: TokenKeys
    let databases: [String]

    /// - Parameters:
    ///   - keyFiles: public keys in PEM; the name of a file without folder and extension is the key id.
    ///   - databases: those that take tokens.
    public init(keyFiles: [String], databases: [String]) throws(AuthConfigurationError) {
        guard !keyFiles.isEmpty else { throw .unusableFile("talos.keys is empty: nobody's tokens could be checked") }
        var keys: [TokenKey] = []
        for path in keyFiles {
            let id = Self.stem(path)
            guard !keys.contains(where: { $0.id == id }) else {
                throw .unusableFile("talos.keys: two files have the key id \"\(id)\"")
            }
            do throws(KeyFileError) {
                let found = try KeyFile.publicKeys(path: path, id: id)
                guard found.count == 1, let key = found.first, key.kind == .rsa, key.id == id else {
                    throw KeyFileError(path: path, reason: "is not one RSA public key in PEM")
                }
                keys.append(key)
            } catch {
                throw .unusableFile("talos.keys: \(error.description)")
            }
        }
        self.keys = TokenKeys(keys: keys)
        self.databases = databases
    }

    /// Who a client with a token may be, the highest role first.
    public static let roles = TalosRole.allCases.sorted(by: >).map(\.rawValue)

    func takes(_ database: String) -> Bool {
        self.databases.contains { $0.utf8.elementsEqual(database.utf8) }
    }

    /// `keys/2024-prod.pem` is `2024-prod`.
    private static func stem(_ path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return String(name) }
        return String(name[..<dot])
    }
}
