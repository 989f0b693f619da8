;;; descartes-notes.el --- Notes, yours and those of agents -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-notes' lists them; with a prefix argument those that have some words.
;; In the list:
;;
;;   RET  open the note       a  archive it
;;   c    write a new one     s  those that have some words

;;; Code:

(require 'descartes)
(require 'descartes-runs)

(defconst descartes-notes--limit 1000
  "How many notes are listed.")

(defun descartes-notes--row (note)
  "Return NOTE as the texts of a line."
  (list (substring (plist-get note :updatedAt) 0 10)
        (plist-get note :title)
        (string-join (append (plist-get note :tags) nil) ", ")
        (or (plist-get note :agentId) "")
        (or (plist-get note :problem) (plist-get note :excerpt) "")))

(defun descartes-notes--show (notes)
  "List NOTES."
  (descartes--table
   "*descartes-notes*" '(("Changed" 11) ("Title" 36) ("Tags" 18) ("By" 12) ("Text" 60))
   (append notes nil) #'descartes-notes--row
   '(("RET" descartes-notes--open)
     ("a" descartes-notes--archive)
     ("c" (lambda (_) (call-interactively #'descartes-note)) t)
     ("s" (lambda (_) (descartes-notes (read-string "Notes that have the words: "))) t))))

(defun descartes-notes--open (note)
  "Open the file of NOTE."
  (find-file-other-window (plist-get note :path)))

(defun descartes-notes--archive (note)
  "Put NOTE into the archive and show what is left."
  (descartes-call "thought.archive" (list :thought (plist-get note :path))
                  (lambda (_)
                    (message "Descartes: archived %s" (plist-get note :title))
                    (descartes-notes))))

(defun descartes-notes (&optional words)
  "List notes, those changed last first; with WORDS those that have them.
With a prefix argument the words are asked for."
  (interactive (list (when current-prefix-arg (read-string "Notes that have the words: "))))
  (let ((asked (and words (not (string-blank-p words)))))
    (descartes-call (if asked "thought.search" "thought.list")
                    (append (list :limit descartes-notes--limit) (when asked (list :text words)))
                    (lambda (result) (descartes-notes--show (plist-get result :thoughts))))))

(defun descartes-note (title)
  "Make a note with TITLE and open its file."
  (interactive "sTitle: ")
  (descartes-call "thought.create" (list :title title)
                  (lambda (note)
                    (descartes-notes--open note)
                    (goto-char (point-max)))))

(provide 'descartes-notes)
;;; descartes-notes.el ends here
