import Foundation
import Glibc
import Sessions

/// Lines `user:code`; empty ones and those that begin with `#` do not count. Blocks: not for workers.
struct CodeFile: Sendable {
    struct Problem: Error { let text: String }
    typealias Line = (text: Substring, user: SecretBytes, code: SecretBytes)
    let path: String

    /// - Throws: a file that cannot be read or is longer than 1 MiB; a line that is none, by its number.
    func read() throws(Problem) -> [Line] {
        guard let data = FileManager.default.contents(atPath: self.path), data.count <= 1 << 20,
            let text = String(data: data, encoding: .utf8)
        else { throw Problem(text: "\(self.path) cannot be read, is no UTF-8, or is longer than 1 MiB") }
        var lines: [Line] = []
        let split = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in split.enumerated() {
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let colon = line.lastIndex(of: ":"), colon > line.startIndex, line[colon...].utf8.count > 6 else {
                throw Problem(text: "\(self.path):\(index + 1): not user:code, the code with 6 characters or more")
            }
            let code = line[line.index(after: colon)...]
            lines.append((line, SecretBytes(String(line[..<colon])), SecretBytes(String(code))))
        }
        return lines
    }

    /// True when this is a code of the user: then it is out of the file. Looks at every line whatever it finds, so that
    /// the time tells nothing about the user.
    func take(_ code: SecretBytes, of user: String) -> Result<Bool, Problem> {
        do throws(Problem) {
            let (lines, user) = (try self.read(), SecretBytes(user))
            let rest = lines.filter { line in
                let (isUser, isCode) = (line.user == user, line.code == code)
                return !(isUser && isCode)
            }
            guard rest.count < lines.count else { return .success(false) }
            try self.write(rest.map { "\($0.text)\n" }.joined())
            return .success(true)
        } catch {
            return .failure(error)
        }
    }

    /// The new file takes the place of the old one whole; nobody else may read it at any moment.
    private func write(_ text: String) throws(Problem) {
        let new = "\(self.path).new"
        unlink(new)
        let file = open(new, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        defer { if file >= 0 { close(file) } }
        let bytes = Array(text.utf8)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0,
            rename(new, self.path) == 0
        else { throw Problem(text: "\(self.path) cannot be written") }
    }
}
