import Foundation

/// One run of another program to its end. PostgreSQL refuses to work for root, so a program can be run as
/// an unprivileged user. Blocks the calling thread: used before the gateway starts and after it has stopped.
struct DemoProgram: Sendable {
    private static let keptOutput = 2_000

    /// A path, or a name to look up on the PATH.
    var path: String
    var arguments: [String]
    var input = ""
    /// Set when the program must not run as root.
    var unprivileged = false

    /// Returns what the program wrote on its standard output, without the final line break.
    @discardableResult
    func run() throws(DemoError) -> String {
        let streams = try StreamFiles(input: self.input)
        defer { streams.remove() }
        // The unprivileged user may not enter the current folder, so the program starts in the root folder.
        var words = ["--chdir=/"]
        if self.unprivileged && DemoUser.isRoot { words += DemoUser.setpriv }
        words += [self.path] + self.arguments
        let child = try SpawnedChild(program: "/usr/bin/env", arguments: words, streams: streams)
        let status = child.wait()
        guard status == 0 else {
            let complaint = streams.text(of: .complaint)
            let text = complaint.isEmpty ? streams.text(of: .output) : complaint
            let name = self.path.split(separator: "/").last.map(String.init) ?? self.path
            throw .programFailed(program: name, output: String(text.suffix(Self.keptOutput)))
        }
        return streams.text(of: .output)
    }
}

/// Who this process is, and how it becomes the unprivileged user.
enum DemoUser {
    /// Whom PostgreSQL runs as when this process belongs to root; Debian's package creates the user.
    static let unprivileged = "postgres"

    static var isRoot: Bool {
        geteuid() == 0
    }

    /// The command that another command line is appended to; it replaces itself, so the process stays the same.
    static var setpriv: [String] {
        ["setpriv", "--reuid=\(self.unprivileged)", "--regid=\(self.unprivileged)", "--init-groups", "--"]
    }

    /// Fails early, with a plain message, when root has no user to hand PostgreSQL to.
    static func check() throws(DemoError) {
        guard self.isRoot, unsafe getpwnam(self.unprivileged) == nil else { return }
        throw .noUnprivilegedUser(self.unprivileged)
    }
}

/// The standard streams of a program as files in a private folder. Files, not pipes: a server that `pg_ctl`
/// leaves behind would keep a pipe open for ever.
struct StreamFiles: Sendable {
    enum Stream: String, CaseIterable, Sendable {
        case input, output, complaint
    }

    private let folder: String

    init(input: String) throws(DemoError) {
        self.folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        do {
            try FileManager.default.createDirectory(
                atPath: self.folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            try Data(input.utf8).write(to: URL(fileURLWithPath: self.path(of: .input)))
        } catch {
            throw .folder(path: self.folder, reason: error.localizedDescription)
        }
    }

    func path(of stream: Stream) -> String {
        "\(self.folder)/\(stream.rawValue)"
    }

    /// What was written, without line breaks at its ends; empty when nothing can be read.
    func text(of stream: Stream) -> String {
        let data = FileManager.default.contents(atPath: self.path(of: stream)) ?? Data()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: self.folder)
    }
}
