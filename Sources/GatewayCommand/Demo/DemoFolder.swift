import Foundation

/// The temporary folder of one demonstration. Made private to its owner where secrets stand; removed as a whole.
struct DemoFolder: Sendable {
    /// A unix socket's path must fit into 108 bytes, so a deep TMPDIR is not used.
    private static let longestParent = 60
    private static let fallbackParent = "/tmp"

    let path: String

    static func create() throws(DemoError) -> DemoFolder {
        var parent = FileManager.default.temporaryDirectory.path
        if parent.utf8.count > Self.longestParent { parent = Self.fallbackParent }
        let path = "\(parent)/pggateway-demo-\(ProcessInfo.processInfo.processIdentifier)"
        // Others may pass through, not look: the server's user has to reach its own folder below.
        try self.createDirectory(path, permissions: 0o711)
        return DemoFolder(path: path)
    }

    /// Makes the folder where PostgreSQL lives, with a place for its socket, and gives both to its user.
    func createServerFolder() throws(DemoError) -> String {
        let server = "\(self.path)/postgresql"
        for path in [server, "\(server)/socket"] {
            try Self.createDirectory(path, permissions: 0o700)
            guard DemoUser.isRoot else { continue }
            do {
                let user = DemoUser.unprivileged
                try FileManager.default.setAttributes(
                    [.ownerAccountName: user, .groupOwnerAccountName: user], ofItemAtPath: path)
            } catch {
                throw .folder(path: path, reason: error.localizedDescription)
            }
        }
        return server
    }

    /// Writes a file that only this user can read. Returns its path.
    func write(_ text: String, to name: String) throws(DemoError) -> String {
        let file = "\(self.path)/\(name)"
        let made = FileManager.default.createFile(
            atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard made else { throw .folder(path: file, reason: "the file cannot be created") }
        return file
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: self.path)
    }

    private static func createDirectory(_ path: String, permissions: Int) throws(DemoError) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: permissions])
        } catch {
            throw .folder(path: path, reason: error.localizedDescription)
        }
    }
}
