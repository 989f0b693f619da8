;;; descartes-lsp-mode.el --- Descartes on lsp-mode -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Load this file instead of `descartes' to use the server with lsp-mode, which
;; is not a dependency of the package: install it first.  lsp-mode draws the
;; code lenses itself (`lsp-lens-mode').

;;; Code:

;; Before the rest is loaded: it would start eglot otherwise.
(provide 'descartes-lsp-mode)

(require 'descartes)
(require 'lsp-mode)

(defun descartes-lsp-mode--plist (value)
  "Return VALUE, as lsp-mode gives it, with property lists for hash tables.
Where lsp-mode was built with property lists, they stay as they are."
  (cond ((hash-table-p value)
         (cl-loop for key being the hash-keys of value using (hash-values each)
                  collect (intern (concat ":" key))
                  collect (descartes-lsp-mode--plist each)))
        ((vectorp value) (vconcat (mapcar #'descartes-lsp-mode--plist value)))
        ((and (consp value) (not (keywordp (car value))))
         (mapcar #'descartes-lsp-mode--plist value))
        (t value)))

;;; What the rest needs of an LSP client

(defun descartes-lsp-mode-connection ()
  "Return this buffer's workspace with Descartes, else any, else nil."
  (or (cl-find 'descartes (lsp-workspaces) :key #'descartes-lsp-mode--server)
      (cl-find 'descartes (lsp--session-workspaces (lsp-session)) :key #'descartes-lsp-mode--server)))

(defun descartes-lsp-mode--server (workspace)
  "Return which server WORKSPACE talks to."
  (lsp--client-server-id (lsp--workspace-client workspace)))

(add-hook 'descartes-connection-functions #'descartes-lsp-mode-connection)

(cl-defmethod descartes-request ((workspace lsp--workspace) method params done failed)
  "Send METHOD with PARAMS to WORKSPACE; DONE or FAILED gets the answer."
  (with-lsp-workspace workspace
    (lsp-request-async (substring (symbol-name method) 1) params
                       (lambda (result) (funcall done (descartes-lsp-mode--plist result)))
                       :error-handler (lambda (problem)
                                        (let ((problem (descartes-lsp-mode--plist problem)))
                                          (funcall failed (plist-get problem :message)
                                                   (plist-get problem :data))))
                       :mode 'detached)))

(cl-defmethod descartes-place ((_workspace lsp--workspace))
  "Return this buffer and point."
  (when (bound-and-true-p lsp-mode)
    (list :uri (lsp--buffer-uri)
          :position (descartes-lsp-mode--plist (lsp--cur-position)))))

(cl-defmethod descartes-visit ((_workspace lsp--workspace) location)
  "Return the buffer and place of LOCATION."
  (let ((buffer (find-file-noselect (lsp--uri-to-path (plist-get location :uri))))
        (start (plist-get (plist-get location :range) :start)))
    (with-current-buffer buffer
      (save-restriction
        (widen)
        (cons buffer (lsp--line-character-to-point (plist-get start :line) (plist-get start :character)))))))

;;; The client

(defun descartes-lsp-mode--handlers ()
  "Return the handlers of the server's own notifications."
  (let ((handlers (make-hash-table :test #'equal)))
    (pcase-dolist (`(,method . ,function) descartes-notifications)
      (puthash (symbol-name method)
               (lambda (_workspace params) (funcall function (descartes-lsp-mode--plist params)))
               handlers))
    handlers))

(defun descartes-lsp-mode--actions ()
  "Return the handlers of those commands that need something of this editor."
  (let ((handlers (make-hash-table :test #'equal)))
    (dolist (name '("descartes.debugger.restart" "descartes.debugger.list" "descartes.intervention.list"))
      (puthash name (lambda (command) (descartes-run-command (descartes-lsp-mode--plist command))) handlers))
    handlers))

(defun descartes-lsp-mode--input (_workspace params answer)
  "Ask for the input that the image wants, as PARAMS say, for ANSWER."
  (descartes-input-wanted (descartes-lsp-mode--plist params)
                          (lambda (text) (funcall answer (list :text text)))))

(defun descartes-lsp-mode--secret (_workspace params answer)
  "Ask for the secret that the vault wants, as PARAMS say, for ANSWER."
  (descartes-secret-wanted (descartes-lsp-mode--plist params) answer))

(defun descartes-lsp-mode--requests ()
  "Return the handlers of the server's own requests."
  (let ((handlers (make-hash-table :test #'equal)))
    (puthash "descartes/lisp/input" #'descartes-lsp-mode--input handlers)
    (puthash "descartes/secret/input" #'descartes-lsp-mode--secret handlers)
    handlers))

(add-to-list 'lsp-language-id-configuration '(lisp-mode . "lisp"))
(add-to-list 'lsp-language-id-configuration '(descartes-settings-mode . "toml"))

(lsp-register-client
 (make-lsp-client
  :new-connection (lsp-stdio-connection (lambda () descartes-command))
  :major-modes '(lisp-mode descartes-settings-mode)
  :server-id 'descartes
  :initialization-options (lambda ()
                            (append (when descartes-trusted '(:trusted t))
                                    (list :settings (or descartes-settings (make-hash-table)))))
  :custom-capabilities '((experimental . ((descartes . ((notifications . t))))))
  :notification-handlers (descartes-lsp-mode--handlers)
  :async-request-handlers (descartes-lsp-mode--requests)
  :action-handlers (descartes-lsp-mode--actions)))

;;; Starting

(defun descartes-lsp-mode--managed ()
  "Turn `descartes-mode' on or off with lsp-mode."
  (when (derived-mode-p 'lisp-mode)
    (descartes-mode (if (bound-and-true-p lsp-managed-mode) 1 -1))))

(defun descartes-lsp-mode--ensure ()
  "Start the server for this file."
  (when (and descartes-auto-start buffer-file-name)
    (lsp-deferred)))

(add-hook 'lsp-managed-mode-hook #'descartes-lsp-mode--managed)
(add-hook 'lisp-mode-hook #'descartes-lsp-mode--ensure)
(add-hook 'descartes-settings-mode-hook #'descartes-lsp-mode--ensure)

;;; descartes-lsp-mode.el ends here
