;;; descartes-runs.el --- Runs, leases, history -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Lists of runs, leases and events are tables in buffers of their own.

;;; Code:

(require 'descartes)
(require 'tabulated-list)

(defvar descartes-runs--ended nil "The runs whose end was announced.")

(defun descartes-runs-changed (run)
  "Announce that RUN has ended."
  (when (and (member (plist-get run :status) '("completed" "failed" "terminated"))
             (not (member (plist-get run :id) descartes-runs--ended)))
    (push (plist-get run :id) descartes-runs--ended)
    (message "Descartes: %s %s%s" (plist-get run :agent) (plist-get run :status)
             (if (plist-get run :reason) (concat ": " (plist-get run :reason)) ""))))

(defun descartes-lease-changed (params)
  "Announce the takeover that PARAMS tell of; the server has lenses drawn anew."
  (when (equal (plist-get params :change) "stolen")
    (let ((lease (plist-get params :lease)))
      (message "Descartes: %s took over %s"
               (plist-get (plist-get lease :holder) :name) (plist-get lease :path)))))

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

(defun descartes-request-lease (text)
  "Ask the holder of this file's lease for it, with the message TEXT."
  (interactive "sMessage: ")
  (descartes-call "lease.request" (append (descartes--file) (list :message text))))

(defun descartes-take-over (reason)
  "Take over the lease of this file for REASON; its holder's next write fails."
  (interactive "sReason: ")
  (descartes-call "lease.steal" (append (descartes--file) (list :reason reason))
                  (lambda (lease) (message "Descartes: %s is yours" (plist-get lease :path)))))

;;; Lists

(defun descartes--clock (time)
  "Return TIME, ISO 8601, in the person's own time zone."
  (format-time-string "%H:%M:%S" (encode-time (parse-time-string (concat (substring time 0 19) "Z")))))

(defun descartes--table (name columns things row keys)
  "Show THINGS under COLUMNS, a list of (TITLE WIDTH), in the buffer NAME.
ROW is a function from a thing to its texts; KEYS are lists of a key, a
function of the thing at point, and t if it works without one."
  (with-current-buffer (get-buffer-create name)
    (tabulated-list-mode)
    (use-local-map (make-composed-keymap nil tabulated-list-mode-map))
    (pcase-dolist (`(,key ,function . ,anywhere) keys)
      (local-set-key (kbd key)
                     (lambda ()
                       (interactive)
                       (let ((thing (tabulated-list-get-id)))
                         (unless (or thing anywhere) (user-error "Nothing is on this line"))
                         (funcall function thing)))))
    (setq tabulated-list-format (vconcat (mapcar (lambda (each) (append each '(t))) columns))
          tabulated-list-entries (mapcar (lambda (thing) (list thing (vconcat (funcall row thing)))) things))
    (tabulated-list-init-header)
    (tabulated-list-print)
    (unless things
      (let ((inhibit-read-only t))
        (insert (propertize "Nothing is here yet" 'face 'shadow))))
    (goto-char (point-min))
    (pop-to-buffer (current-buffer))))

(defun descartes--on-run (operation)
  "Return a function that does OPERATION to a run."
  (lambda (run)
    (descartes-call (concat "run." operation) (list :run (plist-get run :id))
                    (lambda (now)
                      (message "Descartes: %s is %s" (plist-get now :agent) (plist-get now :status))))))

(defun descartes-runs ()
  "Show a list of agents' work.
RET is for the output of one, h for its history, p to pause,
r to resume and s to stop it."
  (interactive)
  (descartes-call
   "run.list" nil
   (lambda (result)
     (descartes--table
      "*descartes-runs*" '(("Run" 9) ("Status" 12) ("Agent" 14) ("Task" 50))
      (append (plist-get result :runs) nil)
      (lambda (run) (list (substring (plist-get run :id) 4 12) (plist-get run :status)
                          (plist-get run :agent) (car (split-string (plist-get run :task) "\n"))))
      `(("RET" ,(lambda (run) (descartes-call "run.output" (list :run (plist-get run :id) :show t))))
        ("h" ,(lambda (run) (descartes-run-history (plist-get run :id))))
        ("p" ,(descartes--on-run "pause"))
        ("r" ,(descartes--on-run "resume"))
        ("s" ,(descartes--on-run "stop")))))))

(defun descartes-leases ()
  "List the leases."
  (interactive)
  (descartes-call
   "lease.list" nil
   (lambda (result)
     (descartes--table
      "*descartes-leases*" '(("Path" 36) ("Holder" 16) ("Until" 9) ("Reason" 40))
      (append (plist-get result :leases) nil)
      (lambda (lease) (list (plist-get lease :path) (plist-get (plist-get lease :holder) :name)
                            (descartes--clock (plist-get lease :expiresAt))
                            (or (plist-get lease :reason) "")))
      nil))))

(defun descartes-history ()
  "List what happened, newest first; RET is for more of it."
  (interactive)
  (descartes-call
   "history.list" '(:limit 200)
   (lambda (result)
     (descartes--table
      "*descartes-history*" '(("Seq" 7) ("Time" 9) ("Event" 26) ("By" 20))
      (append (plist-get result :events) nil)
      (lambda (event) (list (number-to-string (plist-get event :seq))
                            (descartes--clock (plist-get event :at)) (plist-get event :name)
                            (plist-get (plist-get event :actor) :name)))
      `(("RET" ,(lambda (event) (descartes-call "history.show" (list :event (plist-get event :id) :show t)))))))))

(provide 'descartes-runs)
;;; descartes-runs.el ends here
