;;; remembering.el --- Steps of a session about what is written down -*- lexical-binding: t -*-

;;; Code:

(require 'harness)

(defun test-notes ()
  "A note is written, found by a word that was added by hand, opened from the list, and archived."
  (save-window-excursion
    (descartes-note "Why numbers are halved")
    (with-current-buffer (test-see "the new note"
                                   (cl-find "-halved.md" (buffer-list) :key #'buffer-name :test #'string-suffix-p))
      (insert "Because the scribe says so.\n")
      (save-buffer)
      (kill-buffer))
    (descartes-notes "scribe")
    (with-current-buffer (test-see "the list" (get-buffer "*descartes-notes*"))
      (test-go-to "Why numbers are halved")
      (save-window-excursion
        (call-interactively (key-binding (kbd "RET")))
        (should (string-match-p "Because the scribe" (buffer-string)))
        (kill-buffer))
      (setq test-messages nil)
      (call-interactively (key-binding (kbd "a")))
      (test-see-message "archived Why numbers are halved")
      (test-see "the empty list" (not (string-match-p "halved" (test-buffer-text "*descartes-notes*"))))
      (kill-buffer "*descartes-notes*"))))

(defun test-key (buffer keys &optional at)
  "Press KEYS in BUFFER, a name, at the text AT."
  (with-current-buffer buffer
    (when at (test-go-to at))
    (call-interactively (key-binding (kbd keys)))))

(defun test-whiteboard ()
  "What is written on the whiteboard of a run's session is listed, and something beside it."
  (save-window-excursion
    (descartes-whiteboard)
    (test-see "the whiteboard" (get-buffer "*descartes-whiteboard*"))
    (test-answering ("error_report" "Halves are wrong for odd numbers") (test-key "*descartes-whiteboard*" "c"))
    (test-see "the entry" (string-match-p "error report +Halves are wrong" (test-buffer-text "*descartes-whiteboard*")))
    (test-answering ("question" "Which ones?")
      (test-key "*descartes-whiteboard*" "a" "Halves are wrong"))
    (test-see "what is beside it" (string-match-p "error report +1 +Halves" (test-buffer-text "*descartes-whiteboard*")))
    (test-key "*descartes-whiteboard*" "RET" "Halves are wrong")
    (should (string-match-p "question  Ann, .*\nWhich ones\\?" (test-buffer-text "*descartes-whiteboard-entry*")))))

(defun test-wisdom ()
  "What was learned is kept, found, and trusted more when it has helped."
  (save-window-excursion
    (descartes-wisdom)
    (test-see "nothing yet" (get-buffer "*descartes-wisdom*"))
    (test-answering ("Divide by two with ash" "numbers") (test-key "*descartes-wisdom*" "c"))
    (test-see "what was learned" (string-match-p "% +0 +numbers +Divide" (test-buffer-text "*descartes-wisdom*")))
    (setq test-messages nil)
    (test-key "*descartes-wisdom*" "+" "Divide by two")
    (test-see-message "now trusted")
    (test-see "its outcome" (string-match-p "% +1 +numbers +Divide" (test-buffer-text "*descartes-wisdom*")))
    (test-key "*descartes-wisdom*" "RET" "Divide by two")
    (should (string-match-p "after 1 outcomes" (test-buffer-text "*descartes-piece-of-wisdom*")))))

(provide 'remembering)
;;; remembering.el ends here
