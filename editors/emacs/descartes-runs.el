;;; descartes-runs.el --- Questions of runs, leases, history -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A question is announced in the echo area and answered by `descartes-answer';
;; lists are tables in buffers of their own.

;;; Code:

(require 'descartes)
(require 'tabulated-list)

(defvar descartes-questions nil
  "The questions that are open now, as the server sent them.")

(defvar descartes-questions--announced nil)
(defvar descartes-runs--ended nil)

(defun descartes-questions-update (questions)
  "Take in QUESTIONS, all that are open now; new ones are announced."
  (setq descartes-questions questions)
  (dolist (question questions)
    (let ((id (plist-get question :id)))
      (unless (or (member id descartes-questions--announced)
                  (equal (plist-get question :kind) "restart"))
        (push id descartes-questions--announced)
        (message "Descartes asks: %s  (M-x descartes-answer)" (plist-get question :title))))))

(defun descartes-runs-changed (run)
  "Announce that RUN has ended."
  (when (and (member (plist-get run :status) '("completed" "failed" "terminated"))
             (not (member (plist-get run :id) descartes-runs--ended)))
    (push (plist-get run :id) descartes-runs--ended)
    (message "Descartes: %s %s%s" (plist-get run :agent) (plist-get run :status)
             (if (plist-get run :reason) (concat ": " (plist-get run :reason)) ""))))

(defun descartes--pick (prompt things)
  "Let the person pick one of THINGS by its title, after PROMPT; at once if there is one."
  (if (cdr things)
      (let ((titles (mapcar (lambda (each) (cons (plist-get each :title) each)) things)))
        (cdr (assoc (completing-read prompt titles nil t) titles)))
    (car things)))

(defun descartes-answer ()
  "Answer a question that a run asks."
  (interactive)
  (unless descartes-questions
    (user-error "No question is open"))
  (let* ((question (descartes--pick "Question: " descartes-questions))
         (choices (append (plist-get question :choices) nil))
         (titles (mapcar (lambda (each) (cons (plist-get each :title) each)) choices))
         (choice (cdr (assoc (completing-read (concat (plist-get question :title) ": ") titles nil t) titles)))
         (arguments (vconcat (mapcar (lambda (name) (read-string (format "%s: " name)))
                                     (plist-get choice :arguments)))))
    (descartes-call "intervention.answer"
                    (append (list :id (plist-get question :id) :choice (plist-get choice :id))
                            (unless (seq-empty-p arguments) (list :arguments arguments))))))

(defun descartes-spawn (task)
  "Start a run that does TASK."
  (interactive "sTask: ")
  (descartes-call "run.spawn" (list :task task)
                  (lambda (run) (message "Descartes: run %s began" (substring (plist-get run :id) 4 12)))))

;;; Leases

(defun descartes-lease ()
  "Lease this file."
  (interactive)
  (descartes-call "lease.acquire" (descartes--file)
                  (lambda (lease) (message "Descartes: %s is yours" (plist-get lease :path)))))

(defun descartes-release ()
  "Give the lease of this file back."
  (interactive)
  (descartes-call "lease.release" (descartes--file)))

(defun descartes-request-lease (message-text)
  "Ask the holder of this file's lease for it, with MESSAGE-TEXT."
  (interactive "sMessage: ")
  (descartes-call "lease.request" (append (descartes--file) (list :message message-text))))

(defun descartes-take-over (reason)
  "Take over the lease of this file for REASON; its holder's next write fails."
  (interactive "sReason: ")
  (descartes-call "lease.steal" (append (descartes--file) (list :reason reason))
                  (lambda (lease) (message "Descartes: %s is yours" (plist-get lease :path)))))

;;; Lists

(defun descartes--table (name columns rows)
  "Show ROWS, lists of text, under COLUMNS, a list of (TITLE WIDTH), in the buffer NAME."
  (with-current-buffer (get-buffer-create name)
    (tabulated-list-mode)
    (setq tabulated-list-format (vconcat (mapcar (lambda (each) (append each '(t))) columns))
          tabulated-list-entries (mapcar (lambda (row) (list row (vconcat row))) rows))
    (tabulated-list-init-header)
    (tabulated-list-print)
    (goto-char (point-min))
    (display-buffer (current-buffer))))

(defun descartes-runs ()
  "List the runs."
  (interactive)
  (descartes-call
   "run.list" nil
   (lambda (result)
     (descartes--table "*descartes-runs*" '(("Run" 9) ("Status" 12) ("Agent" 14) ("Task" 50))
                       (mapcar (lambda (run) (list (substring (plist-get run :id) 4 12) (plist-get run :status)
                                                   (plist-get run :agent) (plist-get run :task)))
                               (plist-get result :runs))))))

(defun descartes-leases ()
  "List the leases."
  (interactive)
  (descartes-call
   "lease.list" nil
   (lambda (result)
     (descartes--table "*descartes-leases*" '(("Path" 36) ("Holder" 16) ("Until" 9) ("Reason" 40))
                       (mapcar (lambda (lease)
                                 (list (plist-get lease :path) (plist-get (plist-get lease :holder) :name)
                                       (substring (plist-get lease :expiresAt) 11 19)
                                       (or (plist-get lease :reason) "")))
                               (plist-get result :leases))))))

(defun descartes-history ()
  "List what happened, newest first."
  (interactive)
  (descartes-call
   "history.list" '(:limit 200)
   (lambda (result)
     (descartes--table "*descartes-history*" '(("Seq" 7) ("Time" 9) ("Event" 26) ("By" 20))
                       (mapcar (lambda (event)
                                 (list (number-to-string (plist-get event :seq))
                                       (substring (plist-get event :at) 11 19) (plist-get event :name)
                                       (plist-get (plist-get event :actor) :name)))
                               (plist-get result :events))))))

(provide 'descartes-runs)
;;; descartes-runs.el ends here
