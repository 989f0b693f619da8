;;; descartes-image.el --- What the image has, and where it is -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; What differs between the files and the image, all that was done to it, systems,
;; and images that are elsewhere.  C-c C-y loads what has changed; the other
;; commands are called by name:
;;
;;   descartes-drift             descartes-load-system      descartes-connect
;;   descartes-journal           descartes-compile-system   descartes-disconnect
;;   descartes-replay            descartes-reload-system    descartes-compare

;;; Code:

(require 'descartes)
(require 'descartes-explore)

;;; What differs between the files and the image

(defun descartes-drift ()
  "Show the definitions of this file that the image has not, or has otherwise."
  (interactive)
  (descartes-call "lisp.drift" (descartes--file)
                  (lambda (answer)
                    (let ((forms (seq-remove (lambda (each) (equal (plist-get each :state) "loaded"))
                                             (plist-get answer :forms))))
                      (if forms
                          (descartes--show-table "drift" '(("State" 10 :state) ("Definition" 50 :name))
                                                 (append forms nil) #'descartes--go-to)
                        (message "The image has everything as it stands in this file"))))))

(defun descartes-load-changed ()
  "Compile and load the definitions of this file that have changed, in order."
  (interactive)
  (descartes-call "lisp.loadChanged" (descartes--file)
                  (lambda (compilation)
                    (message "⇒ %s" (cond ((plist-get compilation :message))
                                          ((eq (plist-get compilation :success) t) "loaded what had changed")
                                          (t "failed"))))))

(define-key descartes-mode-map (kbd "C-c C-y") #'descartes-load-changed)

;;; All that was done to the image

(defconst descartes-image--page 10000 "How many entries of the journal are asked for at once.")

(defun descartes-image--entry (entry)
  "Return ENTRY of the journal with the texts of its line in the table."
  (let ((uri (plist-get entry :uri)) (code (plist-get entry :code)))
    (append (list :number (number-to-string (plist-get entry :seq))
                  :time (descartes--clock (plist-get entry :at))
                  :who (plist-get (plist-get entry :by) :name)
                  :what (string-trim (concat (if code (string-trim code) "")
                                             (if uri (concat "  ; " (file-name-nondirectory uri)) ""))))
            entry)))

(defun descartes-image--show-entry (entry)
  "Show the code of ENTRY of the journal, else the place where it stood."
  (if-let ((code (plist-get entry :code)))
      (descartes--show-text "journal-entry" (concat code "\n") t)
    (if (plist-get entry :uri)
        (display-buffer (car (descartes-visit (descartes-connection)
                                              (list :uri (plist-get entry :uri)
                                                    :range '(:start (:line 0 :character 0))))))
      (user-error "Nothing is known of its code"))))

(defun descartes-journal (&optional since before)
  "List what was evaluated, compiled and loaded, whoever did it.
RET shows an entry.  SINCE is the number of the entry to begin with, and
BEFORE what was listed before it."
  (interactive)
  (descartes-call "lisp.journal" (append (list :limit descartes-image--page) (when since (list :since since)))
                  (lambda (journal)
                    (let ((entries (append before (plist-get journal :entries) nil)))
                      (if (plist-get journal :next)
                          (descartes-journal (plist-get journal :next) entries)
                        (descartes--show-table
                         "journal" '(("Number" 8 :number) ("Time" 9 :time) ("By" 14 :who) ("Kind" 8 :kind)
                                     ("Outcome" 9 :outcome) ("What" 60 :what))
                         (mapcar #'descartes-image--entry entries)
                         #'descartes-image--show-entry #'descartes-journal))))))

(defun descartes-image--show-replay (answer)
  "Show what was repeated and, with the reason, what was not, from ANSWER."
  (let ((skipped (plist-get answer :skipped)) (repeated (plist-get answer :repeated)))
    (message "Repeated %d, skipped %d" repeated (length skipped))
    (unless (seq-empty-p skipped)
      (descartes--show-table "replay" '(("Number" 8 :number) ("Why it was not repeated" 90 :reason))
                             (mapcar (lambda (each)
                                       (append (list :number (number-to-string (plist-get each :seq))) each))
                                     skipped)
                             (lambda (_) (descartes-journal))))))

(defun descartes-replay ()
  "Repeat in a fresh image what was evaluated and loaded, and go on there."
  (interactive)
  (when (or (not (called-interactively-p 'any))
            (yes-or-no-p "Do everything again in a fresh image, which takes the place of this one? "))
    (message "Descartes: repeating …")
    (descartes-call "lisp.replay" nil #'descartes-image--show-replay)))

(defun descartes-image--difference (difference)
  "Return DIFFERENCE of two images as text."
  (cl-flet ((side (name key) (format ";; %s\n%s\n" name (or (plist-get difference key) ";; nothing"))))
    (format ";;; %s %s\n%s%s" (plist-get difference :kind) (plist-get difference :name)
            (side "here" :here) (side "there" :there))))

(defun descartes-compare (other)
  "Show which definitions this image and OTHER have not alike.
OTHER is host:port of a Swank server, or replay, a fresh image in which
everything is done again."
  (interactive (list (read-string "Compare with (host:port, or replay for a fresh image): " nil nil "replay")))
  (message "Descartes: comparing …")
  (descartes-call "lisp.compare" (list :other (string-trim other))
                  (lambda (answer)
                    (let ((found (plist-get answer :definitions)) (more (plist-get answer :more)))
                      (if (seq-empty-p found)
                          (message "The definitions are the same")
                        (descartes--show-text
                         "comparison"
                         (concat (mapconcat #'descartes-image--difference found "\n")
                                 (if (and more (> more 0)) (format "\n;;; %d more\n" more) ""))
                         t))))))

;;; Systems

(defun descartes--read-system (prompt)
  "Ask for a system with PROMPT."
  (let ((systems (plist-get (descartes-await "lisp.systems" nil 5) :systems)))
    (list (completing-read prompt (mapcar (lambda (each) (plist-get each :name)) systems)))))

(defun descartes-image--system (operation params doing)
  "Ask for OPERATION with PARAMS on a system, while DOING is shown."
  (message "Descartes: %s …" doing)
  (descartes-call operation params
                  (lambda (compilation)
                    (if-let ((text (plist-get compilation :message)))
                        (message "Descartes: %s" text)
                      (descartes--show-compilation compilation)))))

(defun descartes-load-system (name)
  "Load the system NAME and what it needs."
  (interactive (descartes--read-system "Load the system: "))
  (descartes-image--system "lisp.loadSystem" (list :system name) (concat "loading " name)))

(defun descartes-compile-system (name)
  "Compile the system NAME without loading it; what it needs is loaded."
  (interactive (descartes--read-system "Compile the system: "))
  (descartes-image--system "lisp.compileSystem" (list :system name) (concat "compiling " name)))

(defun descartes-reload-system (name)
  "Load again what has changed of the system NAME, or of all when that is empty."
  (interactive (descartes--read-system "Reload the system (empty: all that are loaded): "))
  (let ((all (string-blank-p name)))
    (descartes-image--system "lisp.reloadSystem" (unless all (list :system name))
                             (if all "reloading" (concat "reloading " name)))))

;;; Images elsewhere

(defun descartes-image--attach (params)
  "Attach to the server that PARAMS name."
  (descartes-call "lisp.connect" params #'descartes--show-status))

(defun descartes-connect (place &optional ssh)
  "Attach to the Swank server at PLACE, host:port, through SSH if that is a host.
With a prefix argument the host for ssh is asked for.  The image there is
now is let go of; one that was started here ends, if the person says so."
  (interactive (list (read-string "Swank server (host:port): " nil nil "127.0.0.1:4005")
                     (when current-prefix-arg (read-string "Through ssh to (empty: directly): "))))
  (unless (string-match "\\`\\(.+\\):\\([0-9]+\\)\\'" place)
    (user-error "A place is host:port, such as 127.0.0.1:4005"))
  (let ((params (append (list :host (match-string 1 place) :port (string-to-number (match-string 2 place)))
                        (unless (string-blank-p (or ssh "")) (list :ssh ssh)))))
    (cond ((not (equal (plist-get descartes-status :state) "ready"))
           (descartes-image--attach params))
          ((or (eq (plist-get descartes-status :attached) t)
               (yes-or-no-p "End the image that runs here? "))
           (descartes-call "lisp.stop" nil (lambda (_) (descartes-image--attach params)))))))

(defun descartes-disconnect ()
  "Let go of the image that was attached to, without an end of it."
  (interactive)
  (if (eq (plist-get descartes-status :attached) t)
      (descartes-call "lisp.stop" nil #'descartes--show-status)
    (user-error "This image is one's own; M-x descartes-stop ends it")))

(provide 'descartes-image)
;;; descartes-image.el ends here
